// SPDX-License-Identifier: GPL-2.0
/* As lp_step_00, but cumulative. */
#define CUMULATIVE true
#include "lp_step_00.c"
