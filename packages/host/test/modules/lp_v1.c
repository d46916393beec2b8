// SPDX-License-Identifier: GPL-2.0
/* The first of two cumulative patches: /proc/version says 1. */
#define VERSION "1"
#include "lp_version.h"
