/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate authority for a laboratory: keys of P-256, certificates and a revocation list, in
 * files that lie as they are needed.
 *
 *	DIR/ca/          key.pem signs, and stays here; cert.pem, crl.pem
 *	DIR/NAME/        what one machine gets, whole: key.pem, cert.pem, ca.pem, crl.pem
 *
 * Private keys have mode 0600 from their first octet on, and are of no other file.  Nothing that is
 * there is written over, but for the revocation lists, each by a new file in its place.  Blocking:
 * for sluice-ctl and tests. */
#ifndef SLUICE_CTL_LAB_CA_H
#define SLUICE_CTL_LAB_CA_H

#include "lib/refuse.h"

enum { LAB_DAYS = 365, LAB_DAYS_MAX = 36500 };

struct lab_machine {
	const char *dir, *name; /* of its folder in dir, and its common name */
	const char *reached_at; /* addresses and DNS names, with commas between; NULL: none */
	int days;               /* until it expires; negative: it has (tests) */
};

/* Makes dir (which may be there, if it has no ca) and the CA in it. */
int lab_ca_make(const char *dir, int days, struct refusal *r);
/* A machine's folder, which may not be there. */
int lab_machine_make(const struct lab_machine *m, struct refusal *r);
/* Its certificate is in the list from now on, in all folders of dir. */
int lab_machine_revoke(const char *dir, const char *name, struct refusal *r);

#endif
