/* SPDX-License-Identifier: Apache-2.0 */
/* A method as it was added, between the files that run it: openflow.c keeps them, listen.c waits
 * for peers, dial.c dials one, auxiliary.c more of the same.  A listener has any number of
 * connections; of those dialled there is one at a time, and another try after each end.  Nobody
 * else includes this. */
#ifndef SLUICE_CTL_OF_METHOD_H
#define SLUICE_CTL_OF_METHOD_H

#include "ctl/fail-mode.h"
#include "ctl/handshake.h"
#include "ctl/method.h"
#include "ctl/ofconn.h"
#include "ctl/tls.h"

struct evconnlistener;

struct of_method {
	struct openflow *of;
	struct of_method *next;
	struct method method;
	struct evconnlistener *listener;
	struct bufferevent *dialling; /* until it is connected */
	struct ofconn *conn;          /* dialled; NULL: none */
	struct event *again;          /* to dial, or to accept, after a failure */
	struct event *deadline;       /* of dialling, handshake included */
	unsigned n_failures;          /* to dial, one after the other */
	uint64_t n_turned_away;       /* of those who came: by TLS, or for want of room */
	unsigned n_accepted;          /* this turn */
	uint64_t n_accept_failed;     /* the queue had to wait: no descriptor was left */
	char last_error[160];
	struct of_method *main;            /* whose auxiliary connection it is; NULL: nobody's */
	struct of_method *aux[OFCONN_AUX]; /* its own, by auxiliary id less 1 */
	uint8_t auxiliary_id;
	char *options; /* behind the text */
	char text[];
};

struct openflow {
	struct ofserver server;
	struct listener news;
	struct of_method *methods;
	struct tls *tls;
	unsigned tls_generation; /* that connections were looked at with */
	struct handshakes handshakes;
	struct fail_mode fail_mode;
	struct event *tick;
};

/* Begin; dialling cannot fail at once, and auxiliary connections wait for auxiliaries_begin(). */
int method_listen(struct of_method *m, struct refusal *r);
void method_dial(struct of_method *m);

/* auxiliary.c: those of a method that dials; they begin when it is connected, and stop with it. */
void auxiliaries_make(struct of_method *m);
void auxiliaries_begin(struct of_method *m);
void auxiliaries_stop(struct of_method *m);
/* One has exchanged hellos; its connection is gone. */
void auxiliary_ready(struct of_method *a);
void auxiliary_ended(struct of_method *a, struct ofconn *c);

/* One more connection, if there is room: at the bound, the oldest that has not said hello gives
 * way. The bufferevent is taken; NULL: no room, or no more trust. */
struct ofconn *method_conn(struct of_method *m, struct bufferevent *bev, const char *remote);
/* One who came and does not stay: counted, said, and in the log. */
void method_turned_away(struct of_method *m, const char *remote, const char *why);
/* Small messages leave at once. */
void method_no_delay(const struct of_method *m, evutil_socket_t fd);
/* A session by the files as they are now.  Whoever is connected and would not be let in with them
 * any more, goes. */
SSL *method_session(struct of_method *m, struct refusal *r);
/* Something of what is dialled changed. */
void openflow_mind_fail_mode(struct openflow *of);

#endif
