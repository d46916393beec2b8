import { expect, test } from "vitest";
import { moduleNameOf, parseSymvers } from "./exports.ts";

test("parseSymvers() reads CRC, object and namespace", () => {
  const symbols = parseSymvers(
    "0x12345678\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n0xffffffff\tdma\tdrivers/dma-buf/dma-buf\tEXPORT_SYMBOL_GPL\tDMA_BUF\n",
  );
  expect(symbols.get("printk")).toEqual({
    name: "printk",
    object: "vmlinux",
    crc: 0x12345678,
    namespace: "",
  });
  expect(symbols.get("dma")).toEqual({
    name: "dma",
    object: "dma_buf",
    crc: 0xffffffff,
    namespace: "DMA_BUF",
  });
});

test("moduleNameOf() says the name as the kernel has it", () => {
  expect(["kernel/drivers/block/loop.ko", "drivers/virtio/virtio-pci", "ext4"].map(moduleNameOf)).toEqual([
    "loop",
    "virtio_pci",
    "ext4",
  ]);
});

test.each([
  ["spaces for tabs", "0x12345678 printk vmlinux EXPORT_SYMBOL"],
  ["no number", "printk\tvmlinux\tEXPORT_SYMBOL\t"],
  ["half a line", "0x12345678\tprintk"],
])("parseSymvers() refuses %s", (_, line) => {
  expect(() => parseSymvers(`0x12345678\ta\tvmlinux\tEXPORT_SYMBOL\t\n${line}\n`, "table")).toThrow(
    `cannot read exports of table: line 2 is ${JSON.stringify(line)}, wanted CRC`,
  );
});
