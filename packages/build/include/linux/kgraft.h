/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the author of a live patch needs where a change cannot be carried as it is. A changed unit says
 *
 *	#include <linux/kgraft.h>
 *
 * and `kgraft build` finds this file; the kernel's own tree does not have it.
 *
 * - Callbacks run when the unit's object (vmlinux or its module) is patched and when it is reverted: they convert
 *   data that exists already, and put it back.
 * - Shadow variables attach new data to a structure that exists already: the kernel's klp_shadow_get(),
 *   klp_shadow_alloc(), klp_shadow_get_or_alloc(), klp_shadow_free(), klp_shadow_free_all().
 * - States tell the next cumulative patch what this one has done to the system: klp_get_state() and
 *   klp_get_prev_state(). A state that a loaded patch has must be in the one that replaces it, with the same version
 *   or a higher one, or the kernel refuses to load it.
 *
 * Sources: Documentation/livepatch/callbacks.rst, shadow-vars.rst and system-state.rst of the kernel.
 */
#ifndef _LINUX_KGRAFT_H
#define _LINUX_KGRAFT_H

#include <linux/livepatch.h>

/*
 * The live patch itself, for klp_get_state(&kgraft_patch, id) and klp_get_prev_state(id).
 */
extern struct klp_patch kgraft_patch;

typedef int (*kgraft_pre_patch_t)(struct klp_object *obj);
typedef void (*kgraft_callback_t)(struct klp_object *obj);

/*
 * KGRAFT_PRE_PATCH(fn) - before the object is patched; may sleep. An error, a negative number, stops the patch from
 * being applied (or the module that is just being loaded).
 * KGRAFT_POST_PATCH(fn) - when the object's functions are redirected and no task runs the old ones any more.
 * KGRAFT_PRE_UNPATCH(fn) - before the way back begins.
 * KGRAFT_POST_UNPATCH(fn) - when no task runs the new functions any more. Not called when pre-patch failed.
 *
 * Each may be given once for each object. Of a patch that replaces another, only the new one's are called.
 */
#define KGRAFT_PRE_PATCH(fn)							\
	static kgraft_pre_patch_t __used __section(".kgraft.pre_patch")		\
		kgraft_pre_patch = fn
#define KGRAFT_POST_PATCH(fn)							\
	static kgraft_callback_t __used __section(".kgraft.post_patch")		\
		kgraft_post_patch = fn
#define KGRAFT_PRE_UNPATCH(fn)							\
	static kgraft_callback_t __used __section(".kgraft.pre_unpatch")	\
		kgraft_pre_unpatch = fn
#define KGRAFT_POST_UNPATCH(fn)							\
	static kgraft_callback_t __used __section(".kgraft.post_unpatch")	\
		kgraft_post_unpatch = fn

/*
 * KGRAFT_STATE(id, version) - declares a state: a number that names what is changed, and the version of the change.
 * The state's data pointer belongs to the callbacks: klp_get_state(&kgraft_patch, id)->data.
 */
#define KGRAFT_STATE(state_id, state_version)					\
	static struct klp_state __used __section(".kgraft.states")		\
		__UNIQUE_ID(kgraft_state) = {					\
			.id = (state_id), .version = (state_version) }

/*
 * KGRAFT_ID(a, b, c, d) - a number for shadow variables and states made of four characters, so that two authors are
 * not likely to choose the same: KGRAFT_ID('e', 'x', 't', '1').
 */
#define KGRAFT_ID(a, b, c, d)							\
	(((unsigned long)(a) << 24) | ((b) << 16) | ((c) << 8) | (d))

#endif /* _LINUX_KGRAFT_H */
