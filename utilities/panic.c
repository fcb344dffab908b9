/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/panic.h"

#include <errno.h>
#include <net/if.h>

#include "datapath/steer.h"
#include "lib/panic.h"

static void take_off(const struct panic_link *l, struct panic_answer *a, json_t *links,
		     unsigned *n_failed)
{
	int e = steer_take_off(l->link_id, (int)l->ifindex);
	char name[IF_NAMESIZE] = "?";

	if_indextoname(l->ifindex, name); /* in the daemon's network namespace */
	if (e && e != -ENOENT)
		++*n_failed;
	json_array_append_new(links, json_pack("{s:i, s:i, s:s}", "ifindex", (int)l->ifindex,
					       "link", (int)l->link_id, "result",
					       !e             ? "detached"
					       : e == -ENOENT ? "gone"
							      : strerror(-e)));
	buf_printf(&a->text, "  interface %u (%s): %s\n", l->ifindex, name,
		   !e             ? "detached"
		   : e == -ENOENT ? "was not attached"
				  : strerror(-e));
}

static int detach(struct panic_page *page, struct panic_answer *a, struct refusal *r)
{
	json_t *links = json_array();
	struct panic_link link;
	unsigned n_failed = 0;
	uint32_t at = 0;

	buf_printf(&a->text,
		   "sluice stands aside: the kernel has every packet; automation is off\n");
	while (panic_link_next(page, &at, &link))
		take_off(&link, a, links, &n_failed);
	json_object_set_new(a->value, "links", links);
	if (!n_failed)
		return 0;
	return refuse(
		r, SYSTEM, "detach",
		"%u of the XDP programs did not come off by their ids (root is needed): the "
		"daemon will take them off once it runs; `ip link set dev NAME xdp off` does not",
		n_failed);
}

static struct panic_page *open_page(const char *run_dir, struct refusal *r)
{
	struct panic_page *page = panic_open(run_dir, false);

	if (page)
		return page;
	if (errno == EPROTO)
		refuse(r, SYSTEM, "panic", "%s/panic is not a panic page; a daemon makes it anew",
		       run_dir);
	else if (errno == ENOENT)
		refuse(r, NOT_FOUND, "panic",
		       "no daemon has run at %s; -r DIR chooses another place", run_dir);
	else
		refuse(r, SYSTEM, "panic", "%s/panic: %s", run_dir, strerror(errno));
	return NULL;
}

int panic_do(const char *run_dir, const char *what, struct panic_answer *a, struct refusal *r)
{
	bool pass = !strcmp(what, "pass"), off = !strcmp(what, "off");
	struct panic_page *page;
	int error = 0;

	*a = (struct panic_answer){0};
	if (!pass && !off && strcmp(what, "detach"))
		return refuse(r, BAD_VALUE, "panic", "panic %.32s; pass, detach or off is expected",
			      what);
	page = open_page(run_dir, r);
	if (!page)
		return -EINVAL;
	a->value = json_pack("{s:s, s:s}", "panic", what, "undo", "sluice-ctl panic off");
	panic_set(page, off ? 0 : panic_state(page) | (pass ? PANIC_PASS : PANIC_DETACH));
	if (pass)
		buf_printf(&a->text, "rules are bypassed: packets follow the routes; automation is "
				     "off\n");
	else if (!off)
		error = detach(page, a, r);
	buf_printf(&a->text, "undo: sluice-ctl panic off\n");
	panic_close(page); /* the daemon hears of it */
	if (error) {
		buf_free(&a->text);
		json_decref(a->value);
	}
	return error;
}
