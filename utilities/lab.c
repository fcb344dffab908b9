/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/lab.h"

#include "ctl/lab-ca.h"
#include "lib/options.h"

static int read_days(const struct args *args, int *days, struct refusal *r)
{
	const char *text = args_option(args, "--days");
	uint64_t n = LAB_DAYS;

	if (text && (parse_u64(text, &n) || !n || n > LAB_DAYS_MAX))
		return refuse(r, BAD_VALUE, "--days", "--days %.32s; 1 to %d would be accepted",
			      text, LAB_DAYS_MAX);
	*days = (int)n;
	return 0;
}

static void say_switch(const char *dir, struct buf *text)
{
	buf_printf(text,
		   "%s/switch/ is for the switch, and there:\n"
		   "  sluice-ctl set-tls private-key=%s/switch/key.pem "
		   "certificate=%s/switch/cert.pem \\\n"
		   "    ca-cert=%s/switch/ca.pem crl=%s/switch/crl.pem\n"
		   "  sluice-ctl add-controller pssl:6653\n",
		   dir, dir, dir, dir, dir);
}

static void say_controller(const char *dir, const char *name, struct buf *text)
{
	buf_printf(text,
		   "%s/%s/ is for the controller; it, or ovs-ofctl, connects with\n"
		   "  --private-key=%s/%s/key.pem --certificate=%s/%s/cert.pem "
		   "--ca-cert=%s/%s/ca.pem\n",
		   dir, name, dir, name, dir, name, dir, name);
}

static const char *or_loopback(const char *names)
{
	return names ? names : "127.0.0.1,::1,localhost";
}

static int make_all(const struct args *args, struct buf *text, struct refusal *r)
{
	const char *dir = args->word[0];
	int days, error = read_days(args, &days, r);
	struct lab_machine sw = {dir, "switch", or_loopback(args_option(args, "--switch")), 0};
	struct lab_machine controller = {dir, "controller",
					 or_loopback(args_option(args, "--controller")), 0};

	if (error)
		return error;
	sw.days = controller.days = days;
	error = lab_ca_make(dir, days, r);
	if (!error)
		error = lab_machine_make(&sw, r);
	if (!error)
		error = lab_machine_make(&controller, r);
	if (error)
		return error;
	say_switch(dir, text);
	say_controller(dir, "controller", text);
	buf_printf(text, "%s/ca/ stays here: its key.pem makes more of them.  For laboratories.\n",
		   dir);
	return 0;
}

static int make_one(const struct args *args, struct buf *text, struct refusal *r)
{
	struct lab_machine m = {args->word[0], args->word[1],
				or_loopback(args_option(args, "--names")), 0};
	int error = read_days(args, &m.days, r);

	if (!error)
		error = lab_machine_make(&m, r);
	if (!error)
		say_controller(m.dir, m.name, text);
	return error;
}

static int revoke(const struct args *args, struct buf *text, struct refusal *r)
{
	int error = lab_machine_revoke(args->word[0], args->word[1], r);

	if (!error)
		buf_printf(text,
			   "%s is revoked: crl.pem of every folder says so; copy it to where the "
			   "switch reads it\n",
			   args->word[1]);
	return error;
}

int lab_do(const struct verb *v, const struct args *args, struct buf *text, struct refusal *r)
{
	switch (v - verbs) {
	case VERB_ID_make_certificates:
		return make_all(args, text, r);
	case VERB_ID_add_certificate:
		return make_one(args, text, r);
	default:
		return revoke(args, text, r);
	}
}
