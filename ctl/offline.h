/* SPDX-License-Identifier: Apache-2.0 */
/* An --offline run: a configuration file on captures, with no root, no sockets and no threads.
 *
 * The clock is the packets' time stamps.  Inputs are merged by time, then by OpenFlow port number;
 * a time that goes backwards is taken as the time before.  The configuration applies at the first
 * stamp; timers due at t fire before packets at t; after the last packet time goes on until no
 * packet is held, for at most 10 s.  A run of the same file gives the same octets, always. */
#ifndef SLUICE_CTL_OFFLINE_H
#define SLUICE_CTL_OFFLINE_H

#include <jansson.h>

#include "ctl/mgmt.h"

/* Runs `file`; *report (a new reference) is what stats.h's report_text() takes. */
int offline_run(const char *file, bool lab_null, json_t **report, struct config_error *e);

#endif
