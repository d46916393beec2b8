/** What `kgr lifecycle` says, in Traditional Chinese. */
export const lifecycleTexts: readonly (readonly [string, string])[] = [
  ["cannot read {0}: {1}", "無法讀取 {0}：{1}"],
  ["it is too long", "它太長"],
  [
    "cannot list the installed packages: neither dpkg-query nor rpm answers",
    "無法列出已安裝的套件：dpkg-query 與 rpm 都沒有回應",
  ],
  ["type: dpkg-query -W, or: rpm -qa", "請輸入：dpkg-query -W，或：rpm -qa"],
  ["line {0}: {1}", "第 {0} 行：{1}"],
  ["quotation marks do not stand around a whole value", "引號沒有包住整個值"],
  ["a value is longer than {0} characters", "有值超過 {0} 個字元"],
  ["found {0}, wanted NAME,VERSION,DATE", "讀到 {0}，應為 NAME,VERSION,DATE"],
  ["the date is {0}, wanted YYYY-MM-DD", "日期是 {0}，應為 YYYY-MM-DD"],
  ["{0} cannot be used as a pattern", "{0} 無法當作樣式使用"],
  ["it has no report with a date", "其中沒有附日期的報告"],
  ["a {0} has no name, or its eol is {1}, wanted a number", "有 {0} 缺少 name，或其 eol 是 {1}，應為數字"],
  ["type: kgr lifecycle --save {0}", "請輸入：kgr lifecycle --save {0}"],
  ["tell when the support of kernels, packages and products ends", "說明核心、套件與產品的支援何時終止"],
  [
    "--days N and --date YYYY-MM-DD show only what ends by then. --save keeps the\nreport, and --diff shows only what changed since one that was kept. -v adds\nwhich lifecycle data was read. Exits with 1 where a package is not installed or\nthe report is empty, with 2 where something cannot be read.",
    "--days N 與 --date YYYY-MM-DD 只顯示到那時為止終止的項目。--save 保存報告，\n--diff 只顯示與所保存的報告不同之處。-v 再加上讀取了哪些生命週期資料。\n套件未安裝或報告為空時結束代碼為 1，有內容無法讀取時為 2。",
  ],
  ["cannot read --date: found {0}, wanted YYYY-MM-DD", "無法讀取 --date：讀到 {0}，應為 YYYY-MM-DD"],
  ["type for example: kgr lifecycle --date 2027-12-31", "例如輸入：kgr lifecycle --date 2027-12-31"],
  ["cannot read --days: found {0}, wanted a number of days", "無法讀取 --days：讀到 {0}，應為天數"],
  ["type for example: kgr lifecycle --days 30", "例如輸入：kgr lifecycle --days 30"],
  ["mend the file, or install again the package that it came in", "請修正該檔案，或重新安裝它所屬的套件"],
];
