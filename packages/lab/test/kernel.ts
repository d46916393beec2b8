import { fetchKernel, type KernelTree } from "@kgraft/kernel";

/** The kernel that the guests of these tests boot: it crashes on ext4 (Debian bug 1154101). */
export function testKernel(): Promise<KernelTree> {
  const { signal } = new AbortController();
  return fetchKernel({ release: "6.1.0-55-cloud-amd64" }, { onProgress: () => {}, signal });
}
