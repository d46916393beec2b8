/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A variable that each run finds as it was when kgr was built. */
#define IN_IMAGE __attribute__((section(".image")))

/* Whether this is a run of the finished program: everything was set up when it was built. */
int image_is_complete(void);
/* Writes the image to a file and prints how many bytes of the arena were needed. @returns the exit code */
int image_write(const char *file);
