// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "bench/commands/print_report.h"
#include "bench/report/report.h"

int print_report(const char *run_dir, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/report.txt", run_dir);
	HB_FREE char *text = NULL;
	int rc = path ? report_run(run_dir, e) : -ENOMEM;

	if (rc)
		return rc;
	rc = hb_file_read(path, &text, NULL);
	if (rc)
		return hb_error_set(e, rc, "cannot read %s: %s", path, strerror(-rc));
	fputs(text, stdout);
	printf("\nFiles of this run: %s (report.txt, report.md, report.html, summary.csv, "
	       "plots/)\n",
	       run_dir);
	return 0;
}
