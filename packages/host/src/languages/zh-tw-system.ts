/** What is said when the system refuses something, or another kgr is at work. */
export const ofSystem: readonly (readonly [english: string, chinese: string])[] = [
  ["mend that file, and look with: kgr config", "請修正該檔，再以此查看：kgr config"],
  [
    "type {0} in its place; or see what there is with: kgr patches",
    "請改輸入 {0}；或查看已載入者：kgr patches",
  ],
  ["type: kgr {0} {1}", "請輸入：kgr {0} {1}"],
  [
    "type the command after: sudo; what root may not either, lockdown or the file system forbids",
    "請在指令前加上：sudo；root 也不行的，是 lockdown 或檔案系統所禁止",
  ],
  ["see what is there with: ls", "看那裡有什麼請輸入：ls"],
  ["type the path of a file", "請輸入檔案的路徑"],
  ["type the path of another file", "請輸入另一個檔案的路徑"],
  [
    "make room, and type the command again; see where with: df -h",
    "請騰出空間後再輸入一次指令；看何處已滿請輸入：df -h",
  ],
  [
    "make the file system writable, and type the command again; see it with: findmnt",
    "請讓檔案系統可寫後再輸入一次指令；查看請輸入：findmnt",
  ],
  [
    "free some memory, and type the command again; see it with: free",
    "請釋出記憶體後再輸入一次指令；查看請輸入：free",
  ],
  ["see whether the file system is full with: df -h {0}", "看檔案系統是否已滿請輸入：df -h {0}"],
  ["cannot go on waiting: interrupted", "無法繼續等待：被中斷"],
  [
    "cannot change live patches: process {0} ({1}) is changing them",
    "無法變更即時修補：行程 {0}（{1}）正在變更",
  ],
  ["wait until it is done, and type the command again", "請等它完成後再輸入一次指令"],
];
