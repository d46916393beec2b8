// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starts the script. QuickJS and the script's first piece, with what that imports, are set up while kgr is built; a
 * run begins behind that (image.c) and renews what belongs to its process: arguments, stack, random numbers. The other
 * pieces are handed to QuickJS when it imports them. Reading bytecode
 * and running a module's top level is most of what a short command costs, so what a run does not need stays unread in
 * the binary. qjsc's own main() reads all modules at the start; that is why there is this one. The table of pieces is
 * made by packages/host/build/quickjs.ts.
 */
#include <string.h>
#include <sys/random.h>
#include "image.h"
#include "quickjs-libc.h"

struct piece {
	const char *name;
	const uint8_t *code;
	const uint32_t *size;
};
extern const struct piece pieces[];

JSModuleDef *js_init_module_std(JSContext *ctx, const char *name);
JSModuleDef *js_init_module_os(JSContext *ctx, const char *name);

static JSModuleDef *load_piece(JSContext *ctx, const char *name, void *unused)
{
	for (const struct piece *piece = pieces; piece->name; piece++) {
		if (strcmp(piece->name, name))
			continue;
		JSValue module = JS_ReadObject(ctx, piece->code, *piece->size, JS_READ_OBJ_BYTECODE);

		if (JS_IsException(module))
			return NULL;
		JSModuleDef *definition = JS_VALUE_GET_PTR(module);

		JS_FreeValue(ctx, module); /* the context keeps it */
		return definition;
	}
	JS_ThrowReferenceError(ctx, "cannot find piece %s of the script", name);
	return NULL;
}

/* All of the language but eval: a script in bytecode needs no parser. */
static JSContext *make_context(JSRuntime *rt)
{
	JSContext *ctx = JS_NewContextRaw(rt);

	if (!ctx)
		return NULL;
	JS_AddIntrinsicBaseObjects(ctx);
	JS_AddIntrinsicDate(ctx);
	JS_AddIntrinsicStringNormalize(ctx);
	JS_AddIntrinsicRegExp(ctx);
	JS_AddIntrinsicJSON(ctx);
	JS_AddIntrinsicProxy(ctx);
	JS_AddIntrinsicMapSet(ctx);
	JS_AddIntrinsicTypedArrays(ctx);
	JS_AddIntrinsicPromise(ctx);
	JS_AddIntrinsicWeakRef(ctx);
	js_init_module_std(ctx, "qjs:std");
	js_init_module_os(ctx, "qjs:os");
	return ctx;
}

IN_IMAGE static JSRuntime *runtime = NULL;
IN_IMAGE static JSContext *context = NULL;

/* In place of QuickJS's own, whose beginning would be the same in every run. */
static JSValue random_number(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
	uint64_t bits = 0;

	getrandom(&bits, sizeof(bits), GRND_NONBLOCK);
	return JS_NewFloat64(ctx, (double)(bits >> 11) * 0x1p-53);
}

/* The script leaves its function `start`. */
static void set_up(void)
{
	JSMemoryUsage usage;

	runtime = JS_NewRuntime();
	js_std_init_handlers(runtime);
	JS_SetModuleLoaderFunc(runtime, NULL, load_piece, NULL);
	context = make_context(runtime);
	js_std_add_helpers(context, -1, NULL);
	JSValue global = JS_GetGlobalObject(context);
	JSValue math = JS_GetPropertyStr(context, global, "Math");

	JS_SetPropertyStr(context, math, "random", JS_NewCFunction(context, random_number, "random", 0));
	JS_FreeValue(context, math);
	JS_FreeValue(context, global);
	js_std_eval_binary(context, pieces[0].code, *pieces[0].size, 0);
	JS_RunGC(runtime);
	/* The next collection when as much again is in use, not at once. */
	JS_ComputeMemoryUsage(runtime, &usage);
	JS_SetGCThreshold(runtime, 2 * usage.malloc_size);
}

int main(int argc, char **argv)
{
	if (!image_is_complete()) {
		set_up();
		return argc == 2 ? image_write(argv[1]) : 64;
	}
	JS_UpdateStackTop(runtime);
	JSValue global = JS_GetGlobalObject(context);
	JSValue words = JS_NewArray(context);

	for (int at = 0; at < argc; at++)
		JS_SetPropertyUint32(context, words, at, JS_NewString(context, argv[at]));
	JS_SetPropertyStr(context, global, "scriptArgs", words);
	JSValue start = JS_GetPropertyStr(context, global, "start");

	JS_FreeValue(context, js_std_await(context, JS_Call(context, start, JS_UNDEFINED, 0, NULL)));
	return 70; /* not reached: the script itself exits */
}
