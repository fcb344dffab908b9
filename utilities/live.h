/* SPDX-License-Identifier: Apache-2.0 */
/* Something that is shown on a terminal again and again.
 *
 * The screen is cleared, `show` prints, and so on each second, until q or Ctrl-C, or until `show`
 * returns something other than zero: an exit status.  The terminal is left as it was, however this
 * ends.  One at a time. */
#ifndef SLUICE_LIVE_H
#define SLUICE_LIVE_H

int live(int (*show)(void *arg), void *arg);

#endif
