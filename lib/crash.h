/* SPDX-License-Identifier: Apache-2.0 */
/* Crashes, remembered.
 *
 * A crash is a signal that ends the process for what the process did (SIGSEGV, SIGBUS, SIGILL,
 * SIGFPE, SIGABRT, SIGSYS, SIGTRAP); its handler leaves a *mark* in a file, when and which, and
 * lets it go on to its end as without us.  SIGKILL, the end of power and an end in order leave
 * none.  Three marks within CRASH_LOOP_S seconds are a crash loop, whenever the process begins
 * next.
 *
 * The file has room for the last few marks from the day it is made, so that a full disk hides no
 * crash.  Its times are the wall clock's.  One file for the process; the handler calls nothing that
 * a signal handler may not. */
#ifndef SLUICE_CRASH_H
#define SLUICE_CRASH_H

#include "lib/base.h"

enum { CRASH_MARKS = 8, CRASH_LOOP = 3, CRASH_LOOP_S = 60 };

/* Opens or makes the file, and watches for crashes from here on; -errno. */
int crash_watch(const char *file);
/* The last CRASH_LOOP marks lie within CRASH_LOOP_S seconds; *sig is the last one's. */
bool crash_loop(int *sig);
void crash_forget(void); /* the marks so far */
void crash_unwatch(void);

#endif
