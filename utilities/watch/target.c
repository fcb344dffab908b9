/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/detect.h"

#include <stdio.h>
#include <stdlib.h>

const char *const target_kinds[N_TARGETS + 1] = {"address", "prefix", "conn", "port", NULL};

const char *const attack_names[N_ATTACKS + 1] = {
#define ATTACK(ID, NAME, TEXT) [ATTACK_##ID] = (NAME),
#include "utilities/watch/attacks.def"
#undef ATTACK
};

const char *target_text(const struct target *t, char buf[64])
{
	char prefix[PREFIX_TEXT], address[IP_TEXT];

	if (t->kind == TARGET_ADDRESS)
		snprintf(buf, 64, "%s", ip_text(&t->prefix.ip, address));
	else if (t->kind == TARGET_PREFIX)
		snprintf(buf, 64, "%s", ip_prefix_text(&t->prefix, prefix));
	else
		snprintf(buf, 64, "%s:%u", target_kinds[t->kind], t->port);
	return buf;
}

bool target_parse(const char *text, struct target *t)
{
	uint64_t number;

	*t = (struct target){0};
	for (unsigned kind = TARGET_CONN; kind <= TARGET_PORT; kind++) {
		size_t size = strlen(target_kinds[kind]);

		if (strncmp(text, target_kinds[kind], size) || text[size] != ':')
			continue;
		if (parse_u64(text + size + 1, &number) || number > UINT32_MAX)
			return false;
		t->kind = (uint8_t)kind;
		t->port = (uint32_t)number;
		return true;
	}
	t->kind = strchr(text, '/') ? TARGET_PREFIX : TARGET_ADDRESS;
	return ip_prefix_parse(text, &t->prefix);
}

/* Ones in the first `len` bits. */
static void prefix_mask(uint8_t *mask, unsigned len)
{
	for (unsigned i = 0; i < 16 && len; i++, len -= MIN(len, 8u))
		mask[i] = len >= 8 ? 0xff : (uint8_t)(0xff << (8 - len));
}

void target_match(const struct target *t, struct match *m)
{
	bool v4 = t->prefix.ip.family == 4;

	memset(m, 0, sizeof *m);
	if (t->kind >= TARGET_CONN) {
		m->value.du.in_port = htobe32(t->port);
		m->mask.du.in_port = 0xffffffff;
		return;
	}
	m->value.du.eth_type = htobe16(v4 ? 0x0800 : 0x86dd);
	m->mask.du.eth_type = 0xffff;
	prefix_mask(m->mask.du.ip_dst, t->prefix.len);
	for (unsigned i = 0; i < 16; i++)
		m->value.du.ip_dst[i] = t->prefix.ip.octet[i] & m->mask.du.ip_dst[i];
}
