// SPDX-License-Identifier: GPL-2.0
/* The second of two cumulative patches: /proc/version says 2. */
#define VERSION "2"
#include "lp_version.h"
