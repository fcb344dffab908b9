/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/switch.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/log.h"
#include "utilities/watch/guard-text.h"

#define DIAL_FIRST_NS (100 * NSEC_PER_MSEC)
#define DIAL_LAST_NS  NSEC_PER_SEC

enum call_kind { CALL_PUT, CALL_REMOVE, CALL_PROPOSE, CALL_NAMES, CALL_READ, CALL_REPORT };

struct call {
	struct call *next;
	enum call_kind kind;
	uint64_t id; /* of the last time it was sent */
	uint64_t made_ns, sent_ns;
	struct guard_rule rule; /* of the first three kinds */
	void *case_;
};

struct calls {
	struct call *first, **last;
	unsigned n;
};

struct known_rule {
	struct guard_rule rule;
	struct guard_counters n;
};

struct switch_link {
	struct actuator actuator;
	struct switch_owner owner;
	struct event_base *base;
	struct sockaddr_un addr;
	struct bufferevent *bev; /* NULL: nothing is under way */
	struct calls queue, flight;
	struct known_rule *rules; /* SWITCH_RULES_MAX */
	struct switch_state state;
	uint64_t now, next_id;
	uint64_t dial_ns, backoff_ns, read_ns, report_ns;
	size_t scanned; /* octets of input known to hold no end of a line */
	bool said_down, is_manual;
};

/* ---- Lists of calls ---------------------------------------------------------------------- */

static void calls_init(struct calls *c)
{
	*c = (struct calls){.last = &c->first};
}

static void calls_add(struct calls *c, struct call *call)
{
	call->next = NULL;
	*c->last = call;
	c->last = &call->next;
	c->n++;
}

static struct call *calls_take(struct calls *c, struct call **at)
{
	struct call *call = *at;

	*at = call->next;
	if (c->last == &call->next)
		c->last = at;
	c->n--;
	return call;
}

static bool calls_have(const struct calls *c, unsigned kinds)
{
	for (const struct call *call = c->first; call; call = call->next)
		if (kinds & 1u << call->kind)
			return true;
	return false;
}

static void calls_free(struct calls *c)
{
	while (c->first)
		free(calls_take(c, &c->first));
}

enum {
	CHANGES = 1u << CALL_PUT | 1u << CALL_REMOVE,
	OF_CASES = 1u << CALL_PUT | 1u << CALL_REMOVE | 1u << CALL_PROPOSE
};

/* ---- What is known of the guard ---------------------------------------------------------- */

static bool rule_same(const struct guard_rule *a, const struct guard_rule *b)
{
	return a->cookie == b->cookie && a->priority == b->priority &&
	       match_equal(&a->match, &b->match);
}

static struct known_rule *rule_find(struct switch_link *s, const struct guard_rule *rule)
{
	for (unsigned i = 0; i < s->state.n_rules; i++)
		if (rule_same(&s->rules[i].rule, rule))
			return &s->rules[i];
	return NULL;
}

static void rule_add(struct switch_link *s, const struct guard_rule *rule,
		     const struct guard_counters *n)
{
	if (s->state.n_rules < SWITCH_RULES_MAX)
		s->rules[s->state.n_rules++] = (struct known_rule){*rule, *n};
}

static void rule_forget(struct switch_link *s, const struct guard_rule *rule)
{
	struct known_rule *known = rule_find(s, rule);

	if (known)
		*known = s->rules[--s->state.n_rules];
}

/* ---- Sending ----------------------------------------------------------------------------- */

static json_t *words_of_rule(const struct call *c)
{
	json_t *words = json_array();
	struct buf text = {0};
	char expire[32];

	if (c->kind == CALL_REMOVE)
		guard_match_text(&c->rule, &text);
	else
		guard_rule_format(&c->rule, &text);
	json_array_append_new(words, json_string(buf_text(&text)));
	buf_free(&text);
	if (c->kind == CALL_REMOVE)
		return words;
	snprintf(expire, sizeof expire, "%" PRIu64 "ms",
		 (uint64_t)(c->rule.expire_ns / NSEC_PER_MSEC));
	json_array_append_new(words, json_string("--reason"));
	json_array_append_new(words, json_string(c->rule.reason));
	json_array_append_new(words, json_string("--expire"));
	json_array_append_new(words, json_string(expire));
	return words;
}

/* NULL: there is nothing to report now. */
static json_t *words_of_report(struct switch_link *s)
{
	json_t *report = s->owner.report(s->owner.arg), *words = json_array();
	char *text = report ? json_dumps(report, JSON_COMPACT) : NULL;

	json_decref(report);
	if (text) {
		json_array_append_new(words, json_string(text));
		free(text);
		return words;
	}
	json_decref(words);
	return NULL;
}

static json_t *words_of(struct switch_link *s, const struct call *c)
{
	json_t *words;

	if (c->kind == CALL_REPORT)
		return words_of_report(s);
	if (1u << c->kind & OF_CASES)
		return words_of_rule(c);
	words = json_array();
	if (c->kind == CALL_READ)
		json_array_append_new(words, json_string("--guard"));
	return words;
}

/* Takes the call. */
static void call_send(struct switch_link *s, struct call *c)
{
	static const char *const verbs_of[] = {"add-guard", "del-guard",  "propose",
					       "show",      "dump-flows", "watch-report"};
	json_t *words = words_of(s, c), *request;
	char *text;

	if (!words) {
		free(c);
		return;
	}
	c->id = ++s->next_id;
	c->sent_ns = s->now;
	request = json_pack("{s:s, s:I, s:s, s:{s:o, s:s}}", "jsonrpc", "2.0", "id",
			    (json_int_t)c->id, "method", verbs_of[c->kind], "params", "words",
			    words, "want", "json");
	text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	if (!text)
		abort();
	bufferevent_write(s->bev, text, strlen(text));
	bufferevent_write(s->bev, "\n", 1);
	free(text);
	json_decref(request);
	calls_add(&s->flight, c);
}

static void ask(struct switch_link *s, enum call_kind kind)
{
	struct call *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	c->kind = kind;
	c->made_ns = s->now;
	call_send(s, c);
}

static void queue_send(struct switch_link *s)
{
	while (s->state.connected && s->queue.first && s->flight.n < SWITCH_FLIGHT_MAX &&
	       evbuffer_get_length(bufferevent_get_output(s->bev)) < SWITCH_OUTPUT_MAX)
		call_send(s, calls_take(&s->queue, &s->queue.first));
}

/* ---- Answers ----------------------------------------------------------------------------- */

static void call_end(struct switch_link *s, struct call *c, const char *refused)
{
	if (c->kind != CALL_REMOVE && s->actuator.done)
		s->actuator.done(s->actuator.done_arg, c->case_, refused);
	free(c);
}

static void automation(struct switch_link *s, bool on)
{
	if (s->is_manual == !on)
		return;
	s->is_manual = !on;
	LOG(INFO, "switch: %s",
	    on ? "panic is over: automation is on again" : "panic: automation is off");
	s->owner.automation(s->owner.arg, on);
}

static void read_answered(struct switch_link *s, const json_t *rows)
{
	bool first = !s->state.connected;
	struct known_rule known;
	json_t *row;
	size_t i;

	s->state.n_rules = 0;
	json_array_foreach(rows, i, row)
	{
		memset(&known, 0, sizeof known);
		if (guard_row_parse(row, &known.rule, &known.n))
			rule_add(s, &known.rule, &known.n);
	}
	if (!first)
		return;
	s->state.connected = true;
	s->state.n_connects++;
	s->backoff_ns = DIAL_FIRST_NS;
	s->said_down = false;
	LOG(INFO, "switch: connected to %s; rules of ours: %u", s->addr.sun_path, s->state.n_rules);
	/* The owner may put and remove meanwhile: that changes the queue, not what was read. */
	for (unsigned n = 0; n < s->state.n_rules; n++)
		s->owner.adopt(s->owner.arg, &s->rules[n].rule);
	s->owner.connected(s->owner.arg);
}

static void rule_answered(struct switch_link *s, struct call *c, const json_t *error)
{
	const json_t *data = json_object_get(error, "data");
	const char *code = json_string_value(json_object_get(data, "code"));
	const char *field = json_string_value(json_object_get(data, "field"));
	const char *message = json_string_value(json_object_get(error, "message"));

	s->state.n_calls++;
	s->state.n_refused += error != NULL;
	if (c->kind == CALL_REMOVE)
		rule_forget(s, &c->rule);
	else if (error && code && !strcmp(code, "not-permitted") && field &&
		 !strcmp(field, "panic"))
		automation(s, false);
	else if (!error && c->kind == CALL_PUT && !rule_find(s, &c->rule))
		rule_add(s, &c->rule, &(struct guard_counters){0});
	if (error && (c->kind != CALL_REMOVE || !code || strcmp(code, "not-found")))
		LOG(INFO, "switch: refused: %s: %s", code ? code : "protocol",
		    message ? message : "no reason was given");
	call_end(s, c, error ? message ? message : "no reason was given" : NULL);
}

static void report_answered(struct switch_link *s, const json_t *value)
{
	const json_t *on = json_object_get(value, "automation");

	if (json_is_boolean(on))
		automation(s, json_is_true(on));
}

static void answered(struct switch_link *s, struct call *c, const json_t *root)
{
	const json_t *error = json_object_get(root, "error");
	const json_t *value = json_object_get(json_object_get(root, "result"), "json");

	if (1u << c->kind & OF_CASES) {
		rule_answered(s, c, error);
		return;
	}
	if (error)
		LOG(WARN, "switch: %s: refused: %s",
		    c->kind == CALL_READ    ? "dump-flows"
		    : c->kind == CALL_NAMES ? "show"
					    : "watch-report",
		    json_string_value(json_object_get(error, "message")));
	else if (c->kind == CALL_NAMES)
		names_learn(value);
	else if (c->kind == CALL_READ)
		read_answered(s, value);
	else
		report_answered(s, value);
	free(c);
}

/* ---- The connection ---------------------------------------------------------------------- */

/* What was not answered goes out again, in front, in its order. */
static void flight_back(struct switch_link *s)
{
	struct calls whole;

	calls_init(&whole);
	while (s->flight.first) {
		struct call *c = calls_take(&s->flight, &s->flight.first);

		if (1u << c->kind & OF_CASES) {
			calls_add(&whole, c);
			s->state.n_again++;
		} else {
			free(c);
		}
	}
	while (s->queue.first)
		calls_add(&whole, calls_take(&s->queue, &s->queue.first));
	while (whole.first)
		calls_add(&s->queue, calls_take(&whole, &whole.first));
}

static void hang_up(struct switch_link *s, const char *why)
{
	if (!s->said_down)
		LOG(INFO, "switch: %s: %s; dialling again", s->addr.sun_path, why);
	s->said_down = true;
	if (s->bev)
		bufferevent_free(s->bev);
	s->bev = NULL;
	s->scanned = 0;
	s->state.connected = false;
	s->dial_ns = s->now + s->backoff_ns;
	s->backoff_ns = MIN(2 * s->backoff_ns, DIAL_LAST_NS);
	flight_back(s);
}

/* The call that a line answers, or NULL. */
static struct call *flight_find(struct switch_link *s, const json_t *root)
{
	const json_t *id = json_object_get(root, "id");

	for (struct call **at = &s->flight.first; *at; at = &(*at)->next)
		if (json_is_integer(id) && json_integer_value(id) == (json_int_t)(*at)->id)
			return calls_take(&s->flight, at);
	return NULL;
}

/* The next whole line, or NULL; what was looked through once is not again. */
static char *next_line(struct switch_link *s, size_t *size)
{
	struct evbuffer *in = bufferevent_get_input(s->bev);
	struct evbuffer_ptr from;

	if (evbuffer_ptr_set(in, &from, s->scanned, EVBUFFER_PTR_SET))
		return NULL;
	if (evbuffer_search_eol(in, &from, NULL, EVBUFFER_EOL_LF).pos < 0) {
		s->scanned = evbuffer_get_length(in);
		return NULL;
	}
	s->scanned = 0;
	return evbuffer_readln(in, size, EVBUFFER_EOL_LF);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct switch_link *s = arg;
	const char *fault = NULL;
	char *line;
	size_t size;

	while (!fault && (line = next_line(s, &size))) {
		json_t *root = json_loadb(line, size, 0, NULL);
		struct call *c = flight_find(s, root);

		if (c)
			answered(s, c, root);
		else
			fault = "what it says answers nothing that was asked";
		json_decref(root);
		free(line);
	}
	if (!fault && evbuffer_get_length(bufferevent_get_input(bev)) > SWITCH_LINE_MAX)
		fault = "an answer of more than 16 MiB";
	if (fault)
		hang_up(s, fault);
	else
		queue_send(s);
}

static void on_event(struct bufferevent *bev, short events, void *arg)
{
	struct switch_link *s = arg;

	(void)bev;
	if (events & BEV_EVENT_CONNECTED) {
		ask(s, CALL_NAMES);
		ask(s, CALL_READ);
		s->read_ns = s->now;
	} else {
		hang_up(s, events & BEV_EVENT_EOF ? "the connection has ended" : strerror(errno));
	}
}

static void dial(struct switch_link *s)
{
	s->bev = bufferevent_socket_new(s->base, -1,
					BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!s->bev)
		abort();
	bufferevent_setcb(s->bev, on_read, NULL, on_event, s);
	bufferevent_setwatermark(s->bev, EV_READ, 0, 2 * SWITCH_LINE_MAX);
	bufferevent_enable(s->bev, EV_READ | EV_WRITE);
	s->dial_ns = s->now;
	if (bufferevent_socket_connect(s->bev, (struct sockaddr *)&s->addr, sizeof s->addr))
		hang_up(s, strerror(errno));
}

static void drop_old(struct switch_link *s)
{
	for (struct call **at = &s->queue.first; *at;) {
		if (s->now - (*at)->made_ns < SWITCH_CALL_NS)
			at = &(*at)->next;
		else
			call_end(s, calls_take(&s->queue, at), "sluiced did not answer in time");
	}
}

void switch_tick(struct switch_link *s, uint64_t now_ns)
{
	bool busy = s->state.n_rules || s->queue.n || calls_have(&s->flight, OF_CASES);

	s->now = now_ns;
	drop_old(s);
	if (!s->bev) {
		if (now_ns >= s->dial_ns)
			dial(s);
		return;
	}
	if (s->flight.first ? now_ns - s->flight.first->sent_ns > SWITCH_ANSWER_NS
			    : !s->state.connected && now_ns - s->dial_ns > SWITCH_ANSWER_NS) {
		hang_up(s, "no answer for 3 s");
		return;
	}
	if (!s->state.connected)
		return;
	queue_send(s);
	/* A reading that passes a change on its way would not know of it. */
	if (now_ns - s->read_ns >= (busy ? SWITCH_READ_NS : SWITCH_IDLE_NS) &&
	    !calls_have(&s->flight, CHANGES | 1u << CALL_READ)) {
		s->read_ns = now_ns;
		ask(s, CALL_READ);
	}
	if (now_ns - s->report_ns >= SWITCH_REPORT_NS &&
	    !calls_have(&s->flight, 1u << CALL_REPORT)) {
		s->report_ns = now_ns;
		ask(s, CALL_REPORT);
	}
}

/* ---- The actuator ------------------------------------------------------------------------ */

static void enqueue(struct switch_link *s, enum call_kind kind, const struct guard_rule *rule,
		    void *case_)
{
	struct call *c;

	/* Of one rule only the last word counts. */
	for (struct call **at = &s->queue.first; *at && kind != CALL_PROPOSE;) {
		if (1u << (*at)->kind & CHANGES && rule_same(&(*at)->rule, rule))
			free(calls_take(&s->queue, at));
		else
			at = &(*at)->next;
	}
	c = calloc(1, sizeof *c);
	if (!c)
		abort();
	*c = (struct call){.kind = kind, .made_ns = s->now, .rule = *rule, .case_ = case_};
	if (s->queue.n >= SWITCH_QUEUE_MAX) {
		call_end(s, c, "too many changes wait for sluiced");
		return;
	}
	calls_add(&s->queue, c);
	queue_send(s);
}

static void put(struct actuator *a, const struct guard_rule *rule, void *case_)
{
	enqueue(container_of(a, struct switch_link, actuator), CALL_PUT, rule, case_);
}

static void propose(struct actuator *a, const struct guard_rule *rule, void *case_)
{
	enqueue(container_of(a, struct switch_link, actuator), CALL_PROPOSE, rule, case_);
}

static void take_away(struct actuator *a, const struct guard_rule *rule)
{
	enqueue(container_of(a, struct switch_link, actuator), CALL_REMOVE, rule, NULL);
}

static bool counters(struct actuator *a, const struct guard_rule *rule, struct guard_counters *out)
{
	struct known_rule *known = rule_find(container_of(a, struct switch_link, actuator), rule);

	if (known)
		*out = known->n;
	return known;
}

struct switch_link *switch_create(struct event_base *base, const char *path,
				  const struct switch_owner *owner, uint64_t now_ns,
				  struct refusal *r)
{
	struct switch_link *s;

	if (strlen(path) >= sizeof s->addr.sun_path) {
		refuse(r, BAD_VALUE, "--run-dir", "%s: longer than a socket's path can be (%zu)",
		       path, sizeof s->addr.sun_path - 1);
		return NULL;
	}
	s = calloc(1, sizeof *s);
	if (!s)
		abort();
	s->rules = calloc(SWITCH_RULES_MAX, sizeof *s->rules);
	if (!s->rules)
		abort();
	s->base = base;
	s->now = now_ns;
	s->owner = *owner;
	s->addr.sun_family = AF_UNIX;
	strcpy(s->addr.sun_path, path);
	s->backoff_ns = DIAL_FIRST_NS;
	s->actuator = (struct actuator){
		.put = put, .remove = take_away, .propose = propose, .counters = counters};
	calls_init(&s->queue);
	calls_init(&s->flight);
	return s;
}

void switch_free(struct switch_link *s)
{
	if (!s)
		return;
	if (s->bev)
		bufferevent_free(s->bev);
	calls_free(&s->queue);
	calls_free(&s->flight);
	free(s->rules);
	free(s);
}

struct actuator *switch_actuator(struct switch_link *s)
{
	return &s->actuator;
}

void switch_state(const struct switch_link *s, struct switch_state *out)
{
	*out = s->state;
	out->n_queued = s->queue.n;
}
