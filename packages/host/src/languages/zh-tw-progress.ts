/** How far it is, in Traditional Chinese. */
export const ofProgress: readonly (readonly [string, string])[] = [
  ["waits for process {0} ({1})", "正在等待行程 {0}（{1}）"],
  ["{0} is at work in the kernel", "{0} 正在核心中執行"],
  ["{0} is at work", "{0} 正在執行"],
  ["the kernel is busy, trying again", "核心忙碌中，重試"],
  ["the kernel begins a transition", "核心正要開始轉換"],
  ["{0}: {1}", "{0}：{1}"],
  [", {0} s", "，{0} 秒"],
  [", in {0}", "，位於 {0}"],
  [
    "kgr: interrupted; what the kernel has begun it carries through first",
    "kgr：已中斷；核心會先完成已開始的動作",
  ],
  [", {0} a second", "，每秒 {0} 個"],
  ["{0}: in_progress, {1}{2}", "{0}：in_progress，{1}{2}"],
];
