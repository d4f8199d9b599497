// SPDX-License-Identifier: GPL-2.0-or-later
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/build/apt.h"
#include "bench/build/cache.h"
#include "bench/host/child.h"

#define KEYRING "/usr/share/keyrings/debian-archive-keyring.gpg"

/* The archives found so far: of the security suites, and of the others. */
struct choice {
	char *security;
	char *main;
};

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

static void choice_consider(struct choice *c, const char *suite, char *uri)
{
	size_t n = strlen(uri);

	if (!strncmp(uri, "cdrom:", 6))
		return;
	while (n && uri[n - 1] == '/')
		uri[--n] = 0;
	if (strstr(suite, "-security") || strstr(suite, "/updates")) {
		if (!c->security && strstr(uri, "debian"))
			c->security = strdup(uri);
	} else if (!c->main && (ends_with(uri, "/debian") || ends_with(uri, "/debian.list"))) {
		c->main = strdup(uri);
	}
}

/* The first line that apt marked as an error, for the later ones say no more than that there was
 * one; else all of it. */
static const char *apt_complaint(char *out)
{
	for (char *p = out; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, "E: ", 3))
			continue;
		p[strcspn(p, "\n")] = 0;
		return p;
	}
	return out ? out : "";
}

/* Ask apt what it takes from where; it knows all the forms that its sources can have. */
static int choose(const char *etc, struct choice *c, struct hb_error *e)
{
	HB_FREE char *place = hb_strf("Dir::Etc=%s", etc), *out = NULL;
	/* Without information on releases: no list needs to have been fetched. */
	char *argv[] = {"apt-get",
			"indextargets",
			"--no-release-info",
			"-o",
			place,
			"--format",
			"index $(RELEASE) $(REPO_URI)",
			"Created-By: Packages",
			NULL};
	const char *env[] = {"LC_ALL=C.UTF-8", NULL};
	struct child child = {.env = env};
	char *rest = NULL;

	*c = (struct choice){0};
	if (!place)
		return hb_error_set(e, -ENOMEM, "out of memory");
	if (child_capture(&child, argv, &out))
		return hb_error_set(e, -ENODEV, "apt cannot read its sources below %s: %s", etc,
				    apt_complaint(out));
	for (char *line = strtok_r(out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		HB_FREE char *suite = NULL, *uri = NULL;

		if (sscanf(line, "index %ms %ms", &suite, &uri) == 2)
			choice_consider(c, suite, uri);
	}
	return 0;
}

int apt_security_uri(const char *etc, char **uri, struct hb_error *e)
{
	struct choice c;
	int rc = choose(etc, &c, e);
	HB_FREE char *main = c.main;

	*uri = c.security;
	if (!*uri && main && ends_with(main, "/debian"))
		*uri = hb_strf("%s-security", main);
	if (*uri || rc)
		return rc;
	return hb_error_set(e, -ENODEV,
			    "the apt sources below %s name no Debian archive; set KERNEL_SRC to a "
			    "kernel tarball or tree",
			    etc);
}

int apt_main_uri(const char *etc, char **uri, struct hb_error *e)
{
	struct choice c;
	int rc = choose(etc, &c, e);

	free(c.security);
	*uri = c.main;
	if (*uri || rc)
		return rc;
	return hb_error_set(e, -ENODEV, "the apt sources below %s name no Debian archive", etc);
}

char *apt_access(const char *dump)
{
	static const char *const kept[] = {"Acquire::http", "Acquire::Proxy", "Acquire::Check-",
					   "Acquire::Force"};
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (const char *line = dump, *end; f && *line; line = end) {
		end = strchrnul(line, '\n');
		end += *end == '\n';
		for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
			if (!strncasecmp(line, kept[i], strlen(kept[i])))
				fwrite(line, end - line, 1, f);
	}
	if (!f || !fclose(f))
		return text;
	free(text);
	return NULL;
}

/* What apt_access() keeps of this machine's configuration. */
static char *host_access(void)
{
	char *argv[] = {"apt-config", "dump", NULL};
	const char *env[] = {"LC_ALL=C.UTF-8", NULL};
	struct child c = {.env = env};
	HB_FREE char *dump = NULL;

	return apt_access(child_capture(&c, argv, &dump) || !dump ? "" : dump);
}

/*
 * Sandbox: apt run as root would fetch as user _apt, who may not enter a private cache. What is
 * fetched is checked against the keyring either way.
 */
static int write_config(const char *dir, const char *uri, const char *suite)
{
	HB_FREE char *sources = hb_strf("%s/etc/sources.list.d/archive.sources", dir);
	HB_FREE char *config = hb_strf("%s/apt.conf", dir);
	HB_FREE char *stanza = hb_strf("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n"
				       "Signed-By: " KEYRING "\n",
				       uri, suite);
	HB_FREE char *access = host_access();
	HB_FREE char *text = hb_strf("%sDir::Etc \"%s/etc\";\n"
				     "Dir::Etc::sourcelist \"/dev/null\";\n"
				     "Dir::Etc::sourceparts \"%s/etc/sources.list.d\";\n"
				     "Dir::Etc::preferencesparts \"%s/etc/preferences.d\";\n"
				     "Dir::Etc::netrc \"/etc/apt/auth.conf\";\n"
				     "Dir::Etc::netrcparts \"/etc/apt/auth.conf.d\";\n"
				     "Dir::State \"%s/state\";\n"
				     "Dir::State::status \"/var/lib/dpkg/status\";\n"
				     "Dir::Cache \"%s/cache\";\n"
				     "APT::Sandbox::User \"root\";\n"
				     "Acquire::Languages \"none\";\n"
				     "Acquire::Retries \"2\";\n",
				     access ? access : "", dir, dir, dir, dir, dir);
	int rc;

	if (!sources || !config || !stanza || !access || !text)
		return -ENOMEM;
	rc = hb_file_write_atomic(sources, stanza, strlen(stanza));
	return rc ? rc : hb_file_write_atomic(config, text, strlen(text));
}

static int make_directories(const char *dir)
{
	static const char *const rooms[] = {"etc/sources.list.d", "etc/preferences.d",
					    "etc/apt.conf.d", "state/lists/partial",
					    "cache/archives/partial"};

	for (size_t i = 0; i < ARRAY_SIZE(rooms); i++) {
		HB_FREE char *path = hb_strf("%s/%s", dir, rooms[i]);
		int rc = path ? hb_mkdir_all(path) : -ENOMEM;

		if (rc)
			return rc;
	}
	return 0;
}

/* Run apt; *@out is its output, owned by the caller. */
static int apt_run(const struct apt *a, const char *into, char *const argv[], char **out)
{
	const char *env[] = {a->config, "LC_ALL=C.UTF-8", NULL};
	struct child c = {.directory = into, .env = env};

	return child_capture(&c, argv, out);
}

int apt_begin(struct apt *a, const char *directory, const char *uri, const char *suite,
	      struct hb_error *e)
{
	/* Error-Mode: without it a list that could not be fetched is a mere warning. */
	char *argv[] = {"apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update", NULL};
	HB_FREE char *out = NULL;
	int rc;

	*a = (struct apt){.directory = strdup(directory),
			  .config = hb_strf("APT_CONFIG=%s/apt.conf", directory)};
	if (!a->directory || !a->config)
		rc = -ENOMEM;
	else if (access(KEYRING, R_OK))
		rc = hb_error_set(e, -ENODEV,
				  KEYRING " is missing; apt-get install debian-archive-keyring");
	else if ((rc = make_directories(directory)) || (rc = write_config(directory, uri, suite)))
		hb_error_set(e, rc, "cannot write below %s: %s", directory, strerror(-rc));
	else if ((rc = apt_run(a, NULL, argv, &out)))
		rc = hb_error_set(e, -ENODEV, "apt cannot read suite %s of %s: %s", suite, uri,
				  apt_complaint(out));
	if (rc)
		apt_end(a);
	return rc;
}

int apt_download(const struct apt *a, const char *package, const char *version, const char *into,
		 struct hb_error *e)
{
	HB_FREE char *what = hb_strf("%s=%s", package, version);
	char *argv[] = {"apt-get", "-q", "download", what, NULL};
	HB_FREE char *out = NULL;
	int rc;

	if (!what)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = apt_run(a, into, argv, &out);
	if (!rc)
		return 0;
	if (out && strstr(out, "was not found"))
		return hb_error_set(e, -ENOENT, "the archive does not offer %s %s", package,
				    version);
	return hb_error_set(e, -ENODEV, "apt cannot fetch %s: %s", what, apt_complaint(out));
}

/*
 * Fetch @packages with what they need and the host lacks into @archives. Recommended packages would
 * be of no use.
 */
static int download_all(const struct apt *a, const char *const packages[], const char *archives,
			struct hb_error *e)
{
	HB_FREE char *place = hb_strf("Dir::Cache::archives=%s", archives);
	const char *env[] = {"LC_ALL=C.UTF-8", a ? a->config : NULL, NULL};
	struct child c = {.env = env};
	char *argv[24] = {
		"apt-get",
		"-q",
		"-y",
		"--no-install-recommends",
		"--download-only",
		"-o",
		place,
		"-o",
		"Debug::NoLocking=1",
		"-o",
		"APT::Sandbox::User=root",
		"install",
	};
	HB_FREE char *out = NULL;
	size_t n = 12;

	if (!place)
		return hb_error_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < APT_PACKAGES && packages[i]; i++)
		argv[n++] = (char *)packages[i];
	/* As on a machine where nothing is installed. */
	if (a && a->whole) {
		argv[n++] = "-o";
		argv[n++] = "Dir::State::status=/dev/null";
	}
	if (!child_capture(&c, argv, &out))
		return 0;
	return hb_error_set(e, -ENODEV, "apt cannot fetch %s: %.300s", packages[0],
			    apt_complaint(out));
}

/* What apt fetched, unpacked below @root. */
static int unpack_all(const char *archives, const char *root, struct hb_error *e)
{
	HB_FREE char *pattern = hb_strf("%s/*.deb", archives);
	struct child c = {0};
	glob_t g = {0};
	int rc = pattern ? 0 : -ENOMEM;

	if (!rc && glob(pattern, 0, NULL, &g))
		rc = hb_error_set(e, -ENODEV, "apt fetched no package into %s", archives);
	for (size_t i = 0; !rc && i < g.gl_pathc; i++) {
		char *argv[] = {"dpkg-deb", "-x", g.gl_pathv[i], (char *)root, NULL};

		if (child_run(&c, argv, NULL, NULL))
			rc = hb_error_set(e, -EIO, "cannot unpack %s", g.gl_pathv[i]);
	}
	globfree(&g);
	return rc;
}

int apt_unpacked(const struct apt *a, const char *const packages[], const char *place,
		 struct hb_error *e)
{
	HB_FREE char *archives = hb_strf("%s/archives", place);
	HB_FREE char *partial = hb_strf("%s/archives/partial", place);
	HB_FREE char *work = hb_strf("%s/work", place);
	HB_FREE char *root = hb_strf("%s/root", place);
	int rc;

	if (!archives || !partial || !work || !root)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = hb_mkdir_empty(archives, e) ?: hb_mkdir_empty(partial, e) ?: hb_mkdir_empty(work, e);
	if (rc)
		return rc;
	rc = download_all(a, packages, archives, e);
	if (!rc)
		rc = unpack_all(archives, work, e);
	if (!rc)
		rc = cache_commit(work, root, e);
	hb_remove_all(archives);
	return rc;
}

char *apt_newest(const struct apt *a, const char *package, struct hb_error *e)
{
	char *argv[] = {"apt-cache", "policy", (char *)package, NULL};
	HB_FREE char *out = NULL;
	int rc = apt_run(a, NULL, argv, &out);
	const char *p = !rc && out ? strstr(out, "Candidate: ") : NULL;

	if (p)
		p += strlen("Candidate: ");
	if (!p || !strncmp(p, "(none)", 6)) {
		hb_error_set(e, -ENODEV, "the archive does not offer %s", package);
		return NULL;
	}
	return strndup(p, strcspn(p, "\n"));
}

char *apt_names(const struct apt *a, const char *pattern)
{
	HB_FREE char *prefix = strndup(pattern, strcspn(pattern, "*?["));
	char *argv[] = {"apt-cache", "pkgnames", prefix, NULL};
	char *out = NULL;

	if (prefix && !apt_run(a, NULL, argv, &out))
		return out;
	free(out);
	return NULL;
}

void apt_end(struct apt *a)
{
	free(a->directory);
	free(a->config);
	*a = (struct apt){0};
}
