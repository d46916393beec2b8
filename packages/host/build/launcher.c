// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starts QuickJS with the first piece of the script, and hands it the others when it imports them. Reading bytecode
 * and running a module's top level is most of what a short command costs, so what a run does not need stays unread in
 * the binary. qjsc's own main() reads all modules at the start; that is why there is this one. The table of pieces is
 * made by packages/host/build/quickjs.ts.
 */
#include <string.h>
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

int main(int argc, char **argv)
{
	JSRuntime *rt = JS_NewRuntime();
	JSContext *ctx;

	js_std_init_handlers(rt);
	JS_SetModuleLoaderFunc(rt, NULL, load_piece, NULL);
	ctx = make_context(rt);
	if (!ctx)
		return 70;
	js_std_add_helpers(ctx, argc, argv);
	js_std_eval_binary(ctx, pieces[0].code, *pieces[0].size, 0);
	js_std_loop(ctx);
	return 70; /* not reached: the script itself exits */
}
