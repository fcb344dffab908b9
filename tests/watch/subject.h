/* SPDX-License-Identifier: Apache-2.0 */
/* What is scored: the whole watcher with a guard that pretends, or its signals alone.
 *
 * Either way there are rules, in the order made, each in force for a while.  Of the signals an
 * attack's own match is the rule, from found to over.  The pipelines are those of examples/watch,
 * made automatic and with SUBJECT_LEARN to learn.  Single thread. */
#ifndef SLUICE_TESTS_WATCH_SUBJECT_H
#define SLUICE_TESTS_WATCH_SUBJECT_H

#include "utilities/watch/decide.h"

enum { SUBJECT_RULES = 1024 };
#define SUBJECT_LEARN "30s"

struct subject {
	void (*free)(struct subject *u);
	/* A packet comes, meets the rules in force, and is seen. */
	void (*sample)(struct subject *u, struct watch_sample *s);
	/* Rule i is in force and hits the packet. */
	bool (*hits)(const struct subject *u, unsigned i, const struct watch_sample *s);
	void (*tick)(struct subject *u, uint64_t now_ns);
	unsigned (*n_in_force)(const struct subject *u);
	unsigned (*n_rules)(const struct subject *u);
	uint64_t (*made_ns)(const struct subject *u, unsigned i);
	void (*text)(const struct subject *u, unsigned i, char *text, size_t room);
};
struct subject *subject_signals(const char *examples);
struct subject *subject_watch(const char *examples);

/* The pipelines' files, made automatic, in a folder of their own; its name, which the caller
 * frees. */
char *subject_pipelines(const char *examples);
void subject_pipelines_remove(char *folder);

#endif
