/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/ofproto.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "datapath/bpf.h"
#include "datapath/marks.h"
#include "lib/log.h"
#include "ofproto/kernel.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"
#include "ofproto/store-past.h"
#include "ofproto/trace.h"

/* ---- Clocks -------------------------------------------------------------------------------- */

uint64_t ofproto_now(const struct ofproto *o)
{
	return o->offline ? o->now_ns : clock_now();
}

int64_t wall_now(const struct ofproto *o)
{
	struct timespec t;

	if (o->offline)
		return (int64_t)o->now_ns;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * (int64_t)NSEC_PER_SEC + t.tv_nsec;
}

/* ---- The event loop's view ----------------------------------------------------------------- */

static void watch(struct ofproto *o, int fd)
{
	struct epoll_event e = {.events = EPOLLIN};

	if (fd >= 0)
		epoll_ctl(o->epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

int ofproto_fd(const struct ofproto *o)
{
	return o->epoll_fd;
}

uint64_t ofproto_deadline(const struct ofproto *o)
{
	uint64_t deadline = MIN(changes_deadline(o), timeouts_deadline(o));

	deadline = MIN(deadline, undo_laters_deadline(o));
	deadline = MIN(deadline, o->objects.confirm_ns);
	deadline = MIN(deadline, limiters_deadline(o));
	deadline = MIN(deadline, trace_deadline(o));
	deadline = MIN(deadline, sets_deadline(o));
	deadline = MIN(deadline, counts_deadline(o));
	return MIN(deadline, kernel_deadline(o));
}

void ofproto_run(struct ofproto *o)
{
	bpf_turn();
	changes_run(o);
	events_run(o);
	samples_run(o);
	kernel_run(o);
	undo_laters_run(o);
	timeouts_run(o);
	objects_run(o);
	limiters_run(o);
	objects_retry(o);
	sets_run(o);
	counts_run(o);
	trace_run(o);
	changes_run(o);
	groups_run(o);
}

void ofproto_set_now(struct ofproto *o, uint64_t ns)
{
	uint64_t due;

	/* What ends on the way ends at its own time. */
	while ((due = ofproto_deadline(o)) <= ns && due > o->now_ns) {
		o->now_ns = due;
		ofproto_run(o);
	}
	o->now_ns = MAX(o->now_ns, ns);
	ofproto_run(o);
}

struct datapath *ofproto_datapath(struct ofproto *o)
{
	return &o->dp;
}

/* ---- Listeners ------------------------------------------------------------------------------ */

void ofproto_listen(struct ofproto *o, struct listener *l)
{
	l->next = o->listeners;
	o->listeners = l;
}

void ofproto_unlisten(struct ofproto *o, struct listener *l)
{
	for (struct listener **link = &o->listeners; *link; link = &(*link)->next)
		if (*link == l) {
			*link = l->next;
			return;
		}
}

void tell_flow_removed(struct ofproto *o, const struct flow *f, uint8_t reason)
{
	struct flow_stats stats;
	const struct flow_removed fr = {f, &stats, reason};

	entry_stats(o, entry_of(f), &stats);
	for (struct listener *l = o->listeners, *next; l; l = next) {
		next = l->next;
		if (l->flow_removed)
			l->flow_removed(l, &fr);
	}
}

void tell_port_status(struct ofproto *o, const struct port *p, uint8_t reason)
{
	o->groups.stale = true; /* what watches it may be live no more, or again */
	for (struct listener *l = o->listeners, *next; l; l = next) {
		next = l->next;
		if (l->port_status)
			l->port_status(l, p, reason);
	}
}

/* ---- Start ---------------------------------------------------------------------------------- */

struct restore {
	struct store_visit visit;
	struct ofproto *ofproto;
	bool begun;
};

static int restore_flow(struct store_visit *v, const struct store_flow *f, struct refusal *r)
{
	struct refusal why = {0};

	(void)r;
	if (flow_restore(container_of(v, struct restore, visit)->ofproto, f, &why))
		LOG(ERR, "flows: not restored: %s: %s", f->text, why.text);
	return 0;
}

static int see_begun(struct store_visit *v, const char *name, const char *text, struct refusal *r)
{
	(void)text, (void)r;
	if (!strcmp(name, "begun"))
		container_of(v, struct restore, visit)->begun = true;
	return 0;
}

/* A new switch routes: one rule of lowest priority, NORMAL.  Deleted, it stays deleted. */
static int begin(struct ofproto *o, struct refusal *r)
{
	struct flow_mod fm;
	int error = flow_parse("priority=0 actions=NORMAL", OFPFC_ADD, &fm, r);

	if (error)
		return error;
	error = ofproto_flow_mod(o, &fm, NULL, r);
	flow_mod_free(&fm);
	if (o->store)
		change_store(o, store_op_object("setting", "begun", "yes"));
	return error;
}

/* In words; what cannot be set aside is not run either, since rules are bypassed. */
static void set_aside(struct ofproto *o)
{
	struct store_aside aside;
	struct refusal r = {0};

	if (store_set_aside(o->store, &aside, &r)) {
		LOG(ERR, "store: crashed again and again, and changes cannot be set aside: %s",
		    r.text);
		return;
	}
	if (!aside.entry) {
		LOG(ERR, "store: crashed again and again, but nothing was changed in the last "
			 "minute before: nothing is set aside");
		return;
	}
	LOG(ERR,
	    "store: crashed again and again: changes of the last minute before are set aside: %u "
	    "rules out, %u in again, %u changes of other things; `log` shows the rules as entry "
	    "%lld, `undo "
	    "%lld` brings them back%s%s",
	    aside.n_out, aside.n_in, aside.n_other, (long long)aside.entry, (long long)aside.entry,
	    aside.copy[0] ? ", and all is as it was in " : "", aside.copy);
}

static int restore(struct ofproto *o, struct refusal *r)
{
	struct restore restore = {
		.visit = {.object = see_begun, .flow = restore_flow},
		.ofproto = o,
	};
	int error = 0;

	o->restoring = true;
	if (o->store) {
		error = store_load_objects(o->store, "setting", &restore.visit, r);
		if (!error)
			error = settings_restore(o, r);
		if (!error)
			error = objects_restore(o, r);
		if (!error)
			error = port_configs_restore(o, r);
		if (!error)
			error = limiters_restore(o, r);
		if (!error)
			error = sets_restore(o, r);
		if (!error)
			error = meters_restore(o, r);
		if (!error)
			error = groups_restore(o, r);
		if (!error)
			error = store_load_flows(o->store, &restore.visit, r);
		if (!error)
			error = journal_restore(o, r);
		if (!error)
			error = undo_laters_restore(o, r);
		if (!error) {
			change_staged(o, NULL);
			error = ofproto_sync(o, r);
		}
	}
	o->restoring = false;
	if (!error && !restore.begun)
		error = begin(o, r);
	settings_init(o);
	if (!restore.begun)
		change_store(o, store_op_proven()); /* there is nothing before it */
	undo_laters_run(o);                         /* what ended while we were away */
	timeouts_run(o);
	if (error)
		return error;
	error = ofproto_sync(o, r);
	if (!error || !restore.begun)
		return error;
	/* What there is needs no writing: a full disk keeps nobody from forwarding as before. */
	LOG(WARN, "store: %s; the switch is as it was, and changes will be refused", r->text);
	timeouts_run(o);
	return 0;
}

/* Sequence numbers' marks are in a file of their own beside the store's: FILE-marks. */
static int open_marks(struct ofproto *o, const char *db, struct refusal *r)
{
	struct buf file = {0};
	int error;

	if (o->offline || !db || !strcmp(db, ":memory:"))
		return marks_open(NULL, r);
	buf_printf(&file, "%s-marks", db);
	error = marks_open(buf_text(&file), r);
	buf_free(&file);
	return error;
}

static int open_all(struct ofproto *o, const struct ofproto_config *config, struct refusal *r)
{
	const struct datapath_config dc = {.n_workers = config->n_workers,
					   .spin_us = config->spin_us,
					   .offline = config->offline};
	struct refusal why = {0};

	if (o->epoll_fd < 0 || datapath_init(&o->dp, &dc))
		return refuse(r, SYSTEM, "workers", "no memory for the datapath of %u workers",
			      config->n_workers);
	o->has_datapath = true;
	o->dp.panic = config->panic;
	if (config->panic)
		o->dp.panic_pass = &config->panic->pass;
	watch(o, o->dp.event_fd);
	if (!o->offline) {
		o->store = store_open(config->db ? config->db : ":memory:", r);
		if (!o->store)
			return -EINVAL;
		watch(o, store_fd(o->store));
		if (config->set_aside)
			set_aside(o);
	}
	if (open_marks(o, config->db, r))
		return -EINVAL;
	if (!o->offline) {
		o->kernel = kernel_open(o, &why);
		if (o->kernel)
			watch(o, kernel_fd(o->kernel));
		else
			LOG(WARN, "kernel: %s; routes and neighbours are not followed", why.text);
	}
	return 0;
}

static int start_workers(struct ofproto *o, const struct ofproto_config *config, struct refusal *r)
{
	for (unsigned i = 0; !o->offline && i < o->dp.n_workers; i++)
		if (worker_start(o->dp.worker[i], config->cpus ? config->cpus[i] : -1))
			return refuse(r, SYSTEM, "workers", "no thread for worker %u", i);
	return 0;
}

struct ofproto *ofproto_create(const struct ofproto_config *config, struct refusal *r)
{
	struct ofproto *o = mem_new(sizeof *o);

	rcu_register();
	o->offline = config->offline;
	o->lab_null = config->lab_null;
	o->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	flows_init(o);
	meters_up(o);
	groups_init(o);
	changes_init(o);
	objects_init(o);
	limiters_init(o);
	sets_init(o);
	ports_name(o);
	settings_defaults(o);
	o->timeouts.since_ns = ofproto_now(o);
	o->counts.next_ns = o->timeouts.since_ns + COUNTS_S * NSEC_PER_SEC;
	if (open_all(o, config, r) || restore(o, r) || start_workers(o, config, r)) {
		ofproto_destroy(o);
		return NULL;
	}
	return o;
}

/* ---- End ------------------------------------------------------------------------------------ */

void ofproto_destroy(struct ofproto *o)
{
	if (!o)
		return;
	o->listeners = NULL;
	if (o->store) {
		ofproto_sync(o, NULL);
		counts_finish(o);
		ofproto_sync(o, NULL);
	}
	tracer_destroy(o);
	samples_destroy(o);
	objects_destroy(o);
	marks_close();
	kernel_close(o);
	store_close(o->store);
	flows_destroy(o);
	meters_down(o);
	groups_destroy(o);
	journal_destroy(o);
	timeouts_destroy(o);
	undo_laters_destroy(o);
	if (o->has_datapath)
		datapath_destroy(&o->dp);
	limiters_destroy(o);
	sets_destroy(o);
	ports_name(NULL);
	if (o->epoll_fd >= 0)
		close(o->epoll_fd);
	rcu_barrier();
	rcu_unregister();
	free(o);
}
