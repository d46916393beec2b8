/** What `kgr downgrade` says, in Traditional Chinese. */
export const ofDowngrade: readonly (readonly [string, string])[] = [
  ["go back to the live patch before the one in force", "回到生效中者之前的即時修補程式"],
  [
    "Where it came in a package, the package manager installs the version before\nit; otherwise the newest earlier one of the same name but for its number is\nloaded, of the files loaded since the start and of those installed. Shows what\nit would do and asks first; --yes or klp's -n goes ahead.",
    "若它來自套件，由套件管理程式安裝前一個版本；\n否則從開機後載入過的檔案與已安裝者之中，載入名稱相同、僅編號較小的\n最新一個。先顯示將做什麼並詢問；--yes 或 klp 的 -n 則直接進行。",
  ],
  ["cannot downgrade: no live patch is in force", "無法降級：沒有生效中的即時修補程式"],
  ["cannot downgrade: {0} is {1}", "無法降級：{0} 的狀態是 {1}"],
  ["would be downgraded by: {0}", "將以此命令降級：{0}"],
  ["cannot downgrade {0}: {1}", "無法將 {0} 降級：{1}"],
  [
    "its package is downgraded, but it stays {0} until the next boot",
    "其套件已降級，但在下次開機前它仍是 {0}",
  ],
  [
    "cannot downgrade {0}: neither a package nor a file has an earlier version of it",
    "無法將 {0} 降級：沒有套件也沒有檔案有它的更早版本",
  ],
  ["go back to the original functions with: kgr disable {0}", "回到原來的函式請輸入：kgr disable {0}"],
  [
    "cannot downgrade {0}: it is not cumulative, {1} is {2} beside it",
    "無法將 {0} 降級：它不是累積式的，{1} 同時處於 {2}",
  ],
  ["{0}, loaded before it, is not an earlier version of it", "在它之前載入的 {0} 不是它的更早版本"],
  ["{0} has no manifest that says what it is", "{0} 沒有資訊清單說明它是什麼"],
  ["the machine went down with {0}", "機器曾因 {0} 停擺"],
  [
    "go back to the original functions with: kgr disable {0}; or load the other all the same: kgr load {1}",
    "回到原來的函式請輸入：kgr disable {0}；仍要載入另一個請輸入：kgr load {1}",
  ],
  [
    "{0} is still installed, and comes back with the next boot; end that with: kgr uninstall {1}",
    "{0} 仍已安裝，下次開機會再次載入；要避免請輸入：kgr uninstall {1}",
  ],
  ["take it out of force with: kgr disable {0}", "使其失效請輸入：kgr disable {0}"],
  ["would give way to {0}", "將讓位給 {0}"],
  ["{0} is loaded, but does not replace {1}: both are in force", "{0} 已載入，但不取代 {1}：兩者都生效"],
  ["take the newer one out of force with: kgr disable {0}", "使較新者失效請輸入：kgr disable {0}"],
  ["ready, {0} gave way", "ready，{0} 已讓位"],
  ["{0}\nDowngrade {1} so? Type yes: ", "{0}\n這樣將 {1} 降級嗎？請輸入 yes："],
  ["did not downgrade {0}: {1}", "未將 {0} 降級：{1}"],
  ["go ahead with: kgr downgrade --yes", "確定進行請輸入：kgr downgrade --yes"],
];
