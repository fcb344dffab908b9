/* SPDX-License-Identifier: Apache-2.0 */
/* Management: JSON-RPC 2.0 over a unix socket, one object a line, and the verbs behind it.
 *
 * A verb is a row of verbs.def: its name, usage, help, flags, and (by its id) its handler.
 * sluice-ctl sends `{"jsonrpc":"2.0","id":1,"method":VERB,"params":[WORD,…]}`; the answer's result
 * holds `text` for people and `json` for programs; with params `{"words":[WORD,…],"want":"text"}`
 * (or `"json"`) a long answer may be just that.  A refusal is an error object whose data has
 * `code`, `field`, `reason`.  The same handlers run a configuration file, line by line, without
 * a socket.
 *
 * **A call's life.**  Who makes a call (the server, a configuration file, a test) owns it and its
 * words, gives it to verb_run(), and hears once from it: `done` with the result, or `refused`;
 * perhaps before verb_run() returns, perhaps after a commit.  A handler that makes a change
 * leaves in `undo` the calls that would take it back.
 *
 * **Who asks.**  The origin of a call comes from where it arrived, never from its words: mgmt.sock
 * and configuration files are the operator's (`cli`), watch.sock is the watcher's (`watch`).
 *
 * The server runs on the control thread and never blocks: lines, connections, requests in flight
 * and output are bounded; a peer at a bound is not read from until it drains. */
#ifndef SLUICE_CTL_MGMT_H
#define SLUICE_CTL_MGMT_H

#include <event2/event.h>
#include <jansson.h>

#include "ctl/openflow.h"
#include "ctl/usage.h"
#include "ofproto/journal.h"
#include "ofproto/ofproto.h"

enum {
	MGMT_LINE_MAX = 64 << 20,   /* octets of one request: a million members of a set */
	MGMT_INPUT_MAX = 128 << 20, /* octets of lines that all peers have begun */
	MGMT_PEERS_MAX = 64,
	MGMT_ACCEPTS_A_TURN = 16,  /* before those let in are looked at */
	MGMT_IN_FLIGHT_MAX = 64,   /* lines of one peer that are not answered yet */
	MGMT_OUTPUT_MAX = 8 << 20, /* octets that a peer has not fetched before it is read again */
	MGMT_ANSWERS_MAX = 64 << 20, /* octets of answers, of all peers: before one more is made */
	MGMT_BATCH_MAX = 256,
	MGMT_VALUES_MAX = 2 << 20, /* values of one line: each costs many times its octets */
};

struct mgmt;
struct collectors;

/* What handlers work on; openflow, collectors and base are NULL offline. */
struct daemon {
	struct event_base *base;
	struct ofproto *ofproto;
	struct openflow *openflow;
	struct collectors *collectors; /* collectors.h */
	uint64_t started_ns;           /* of ofproto_now() */
	struct confirm *confirms;      /* rules that wait for `confirm`; confirm.c */
	struct watcher *watcher;       /* what the watcher said; watcher.h */
	struct readings *readings;     /* of counters, for rates; reading.h */
	uint64_t n_mgmt_turned_away;   /* strangers, and those there was no room for */
	uint64_t n_mgmt_accept_failed; /* no descriptor was left */
	bool offline;
};

struct verb_call {
	struct daemon *daemon;
	uint8_t origin;          /* enum origin: by the socket or file that the call came from */
	char who[48];            /* for logs: `uid 0, pid 1234`; `configuration, line 3` */
	const struct verb *verb; /* set by verb_run() */
	struct words words;      /* as given, without the verb's name */
	struct args args;        /* the same sorted by the verb's usage; set by verb_run() */
	struct actor *actor;     /* while the handler runs: who asks; NULL before: the caller */
	bool misused;            /* refused for its words alone: wrong usage */
	bool no_text, no_json;   /* of a long answer, the part that nobody wants */
	json_t *undo;            /* an array of [VERB, WORD…]; NULL: nothing to take back */
	void (*done)(struct verb_call *call, json_t *result); /* takes the result */
	void (*refused)(struct verb_call *call, const struct refusal *r);
};

/* Finishes the call, now or later.  Origin watch is refused what is not VERB_WATCH. */
void verb_run(const struct verb *v, struct verb_call *call);

/* Listens on `path` (mode 0660) to who may speak there (mgmt-socket.h); refuses a path where
 * another daemon answers.  What is asked for there has the origin ORIGIN_CLI or ORIGIN_WATCH. */
struct mgmt *mgmt_create(struct daemon *d, const char *path, uint8_t origin, struct refusal *r);
void mgmt_destroy(struct mgmt *m);

/* Runs a configuration file whole, or not at all: `line` and `column` say where it was refused (0:
 * the file itself). */
struct config_error {
	unsigned line, column;
	struct refusal refusal;
};
int config_apply(struct daemon *d, const char *file, struct config_error *e);

/* sluice-ctl's side: one call, blocking, at most `timeout_ms`.  0 and the answer, or -errno.  Takes
 * params. */
struct mgmt_answer {
	json_t *value; /* a new reference: the result, or the error object */
	bool refused;
};
int mgmt_call(const char *path, const char *verb, json_t *params, unsigned timeout_ms,
	      struct mgmt_answer *answer);

#endif
