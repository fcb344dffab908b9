/* SPDX-License-Identifier: Apache-2.0 */
/* The TCP connections that a connection limit counts.
 *
 * A connection is there from its first segment without SYN that passes, whichever direction it goes
 * (addresses and ports are put in order before they are hashed), and from then on its key counts
 * one more (keyed.h; the entry remembers which word).  *SYNs leave nothing here*: however many come
 * from whatever addresses, they fill neither the table nor anybody's count.
 *
 * sluice often sees one direction only, so a connection ends by what one side says or leaves out: a
 * FIN or RST makes it *closing*, it counts until nothing was seen of it for CONNS_LINGER_NS (the
 * last acknowledgements); without, until nothing was seen for the limit's idle time.  One that was
 * let go after a FIN or RST and goes on nevertheless (half-closed, or somebody made the FIN up) is
 * counted again, and is *doubted*: no FIN shortens its time any more.
 *
 * **The table is full** line by line: then a new connection takes the place of the one in its line
 * that was seen least recently, whose key counts one less.  That is nobody's advantage: whatever
 * passes is of a connection that is counted then, for the next segment of one that was put out has
 * to be counted again, and is dropped if its key has no room.  So a flood of made-up segments costs
 * a lawful connection nothing but being counted again.
 *
 * Each entry is a tag and one word {last seen, flags, which word of the keys}, changed by
 * compare-and-swap; lines are those of keyed.h.  Two words of different connections can be equal,
 * so one that is put out and in within one swap may be refreshed, or closed, in the other's name:
 * both are amends that its next segment makes.
 *
 * Threads: conns_seen() and conns_put() on any worker; conns_sweep(), which lets go of what was not
 * seen for too long, on the control thread. */
#ifndef SLUICE_KEYED_CONNS_H
#define SLUICE_KEYED_CONNS_H

#include "datapath/key.h"
#include "datapath/keyed.h"

#define CONNS_LINGER_NS (2 * NSEC_PER_SEC)

enum { CONNS_TUPLE = 5 /* words */, CONNS_UNIT_SHIFT = 20 /* time in 1.05 ms */ };

struct keyed_conns {
	struct keyed_line *line;
	uint32_t n_lines, hand; /* hand: the sweep's place */
	unsigned __int128 secret[CONNS_TUPLE + 1];
	size_t size;
};

struct keyed_conns *conns_create(uint32_t n_lines); /* NULL: no memory */
void conns_destroy(struct keyed_conns *c);          /* NULL: nothing */

/* Of a TCP segment with its ports, the same for both directions. */
uint64_t conns_tag(const struct keyed_conns *c, const struct du_key *k);

enum conns_answer {
	CONNS_COUNTED, /* goes on */
	CONNS_NEW,     /* not there */
	CONNS_AGAIN,   /* was let go after its end */
};
/* `ends`: a FIN or RST. */
enum conns_answer conns_seen(struct keyed_conns *c, uint64_t tag, uint64_t now, bool ends);

struct conns_entry {
	uint64_t tag, now;
	uint32_t where; /* its key's word, which has counted it */
	bool doubted;
};
/* Puts it in; its key's word counts one less again if that cannot be.  What it puts out counts one
 * less with its key. */
void conns_put(struct keyed_conns *c, struct keyed *keys, const struct conns_entry *e);

/* Lets go of what was not seen for `idle_ns` in the next n lines. */
void conns_sweep(struct keyed_conns *c, struct keyed *keys, uint64_t now, uint64_t idle_ns,
		 uint32_t n);
uint32_t conns_n(const struct keyed_conns *c); /* connections that count now; walks it all */

#endif
