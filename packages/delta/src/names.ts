/**
 * What a symbol's name says. gcc appends numbers and suffixes that differ between two compilations of nearly the
 * same source, and the kernel's macros make statics whose name is the macro's and not the author's.
 */

/** Suffixes that gcc gives to clones of a function, in any combination, each with a number. */
const cloneNumber = /\.(isra|constprop|part)\.\d+/g;

/**
 * A function's name without the numbers of its clones: `ext4_mb_use_preallocated.constprop.0` and
 * `ext4_mb_use_preallocated.constprop.1` may be the same function, `foo` and `foo.isra.0` never are.
 */
export function withoutCloneNumbers(name: string): string {
  return name.replaceAll(cloneNumber, ".$1");
}

const coldSuffix = /\.cold(\.\d+)?$/;

/** The function whose unlikely part this is: `ext4_mb_init` for `ext4_mb_init.cold`; undefined for any other. */
export function parentOf(name: string): string | undefined {
  return coldSuffix.test(name) ? name.replace(coldSuffix, "") : undefined;
}

const numbered = /^(.+)\.\d+$/;

/** A static local's name without gcc's number: `ext4_grpinfo_slab_create_mutex` for `..._mutex.20`. */
export function staticLocalName(name: string): string | undefined {
  return numbered.exec(name)?.[1];
}

/**
 * Constants that the compiler or a macro made for one place in the code: equal contents are as good as identity.
 * `__func__.25` in ext4_mb_load_buddy_gfp(), `CSWTCH.12` of a switch turned into a table, `.LC0`, `__msg.156` of
 * NL_SET_ERR_MSG() in bond_enslave(), `_entry.7` of the printk index.
 */
export function isLiteralName(name: string): boolean {
  return /^(__func__|__FUNCTION__|__PRETTY_FUNCTION__|__msg|_entry|CSWTCH|str__\w+__trace_system_name)\.\d+$|^\.L/.test(
    name,
  );
}

/** A variable, by what tells a macro's own from an author's of the same name. */
interface Variable {
  readonly name: string;
  readonly section: string;
  readonly sizeBytes: number;
}

/**
 * Writable statics that a macro puts at one place of the code: once-flags, rate limits, lock classes, descriptors of
 * debug messages. A new copy starts from its initial value: at worst a warning is printed once more.
 * `_rs.26` of WARN_RATELIMIT() in ext4_mb_load_buddy_gfp(), `__key.22` of mutex_init(), `___tp_str.38` of
 * tracepoint_string() in rcu_gp_init().
 *
 * An author may call a variable so too, and that one keeps its value: the macros' lie in sections of their own
 * (`.data.once`, since 6.13 `.data..once`), or have the type that the macro gives them.
 *
 * @param sizes bytes of the kernel's structures in `siteTypes`, as far as they are known; without lock debugging a lock
 *   class has none, and nothing to forget
 */
export function isSiteStatic(variable: Variable, sizes: ReadonlyMap<string, number>): boolean {
  const { name, section } = variable;
  if (section === "__dyndbg") return /^(descriptor|__UNIQUE_ID_ddebug\d+)(\.\d+)?$/.test(name);
  if (section === "__tracepoint_str" || section === "__trace_printk_fmt")
    return /^(___tp_str|trace_printk_fmt)\.\d+$/.test(name);
  return macrosOwn.get(staticLocalName(name) ?? "")?.(variable, sizes) === true;
}

type IsMacrosOwn = (variable: Variable, sizes: ReadonlyMap<string, number>) => boolean;

const isOnceFlag: IsMacrosOwn = ({ section }) => /^\.data\.\.?(once|unlikely)$/.test(section);

/** Of macros' variables that lie in no section of their own: the structure that each is. */
const structures: ReadonlyMap<string, string> = new Map([
  ["__key", "lock_class_key"],
  ["_rs", "ratelimit_state"],
]);

function structureSize(name: string, sizes: ReadonlyMap<string, number>): number | undefined {
  return sizes.get(structures.get(name) ?? "");
}

const macrosOwn: ReadonlyMap<string, IsMacrosOwn> = new Map<string, IsMacrosOwn>([
  ["__warned", isOnceFlag],
  ["__already_done", isOnceFlag],
  ["__already_printed", isOnceFlag],
  // In some macros' hands it lies wherever the compiler puts it.
  ["__print_once", ({ sizeBytes }) => sizeBytes === 1],
  ["__key", ({ sizeBytes }, sizes) => sizeBytes === (structureSize("__key", sizes) ?? 0)],
  ["_rs", ({ sizeBytes }, sizes) => sizeBytes === structureSize("_rs", sizes)],
]);

/** Whether a variable of that name may be a macro's own, and its type says it. */
export function isTypedByMacro(name: string): boolean {
  return structures.has(staticLocalName(name) ?? "");
}

/** The kernel structures whose sizes {@link isSiteStatic} wants to know. */
export const siteTypes: readonly string[] = [...structures.values()];

/** Which macro made a site static: its name without the numbers of compiler and preprocessor. */
export function siteStaticName(name: string): string {
  return name.replaceAll(/\d+/g, "");
}

/** Padding symbols before a function, for kernels with call padding or control-flow checks. */
export function isPrefixSymbol(name: string): boolean {
  return name.startsWith("__pfx_") || name.startsWith("__cfi_");
}
