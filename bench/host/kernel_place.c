// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/host/kernel_place.h"

/* As long as the name of an arm may be (spec_name_ok()). */
#define NAME_MAX_LENGTH 40

bool place_is(const char *text)
{
	return strpbrk(text, "/@") || *text == '~' || !strcmp(text, ".") || !strcmp(text, "..");
}

char *place_absolute(const char *text)
{
	const char *home = getenv("HOME");
	HB_FREE char *cwd = NULL;

	if (*text == '/')
		return strdup(text);
	if (*text == '~' && (text[1] == '/' || !text[1]) && home && *home == '/')
		return hb_strf("%s%s", home, text + 1);
	cwd = getcwd(NULL, 0);
	return cwd ? hb_strf("%s/%s", cwd, text) : NULL;
}

/* Part "PATH@REF": the whole when it is there, else at the first '@' behind a directory. @text is
 * cut; the ref, or NULL. */
static char *cut_ref(char *text)
{
	struct stat st;

	if (!access(text, F_OK))
		return NULL;
	for (char *at = strchr(text, '@'); at; at = strchr(at + 1, '@')) {
		*at = 0;
		if (!stat(text, &st) && S_ISDIR(st.st_mode))
			return at + 1;
		*at = '@';
	}
	return NULL;
}

/* "/home/me/linux", "v6.6" -> "linux-v6.6"; "/", which has no name, -> "k" */
static char *arm_name(const char *path, const char *ref)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;
	char *name = hb_strf("%s%s%s", *last ? last : "k", ref ? "-" : "", ref ? ref : "");

	for (char *c = name; c && *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-_.+", *c))
			*c = '-';
	if (name && strlen(name) > NAME_MAX_LENGTH)
		name[NAME_MAX_LENGTH] = 0;
	if (name && !isalnum((unsigned char)*name))
		*name = 'k';
	return name;
}

static void strip_slashes(char *path)
{
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
		path[n - 1] = 0;
}

static bool is_tarball(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strstr(slash ? slash : path, ".tar");
}

/* 1: the file begins like a bzImage; 0: it does not; -errno. */
static int is_image(const char *path)
{
	HB_FCLOSE FILE *f = fopen(path, "re");
	char magic[4];

	if (!f)
		return -errno;
	return !fseek(f, 0x202, SEEK_SET) && fread(magic, 4, 1, f) == 1 &&
	       !memcmp(magic, "HdrS", 4);
}

static int find_kind(struct place *p, const char *text, struct hb_error *e)
{
	struct stat st;
	int image;

	if (stat(p->path, &st))
		return hb_error_set(e, -ENODEV, "%s: %s", text, strerror(errno));
	image = S_ISREG(st.st_mode) ? is_image(p->path) : 0;
	if (image < 0)
		return hb_error_set(e, -ENODEV, "cannot read %s: %s%s", text, strerror(-image),
				    image == -EACCES ? "; mend: sudo chmod a+r of it, or a copy "
						       "with its .config beside it"
						     : "");
	if (S_ISDIR(st.st_mode))
		p->kind = PLACE_TREE;
	else if (is_tarball(p->path))
		p->kind = PLACE_TARBALL;
	else if (image)
		p->kind = PLACE_IMAGE;
	else
		return hb_error_set(e, -ENODEV,
				    "%s is no directory, no bzImage and no tarball (*.tar*)", text);
	return 0;
}

int place_find(const char *text, struct place *p, struct hb_error *e)
{
	HB_FREE char *path = place_absolute(text);
	const char *ref;
	char *base;
	int rc;

	*p = (struct place){0};
	if (!path)
		return hb_error_set(e, -ENOMEM, "out of memory");
	ref = cut_ref(path);
	if (ref && !*ref)
		return hb_error_set(e, -ENODEV, "%s: there is no ref behind the '@'", text);
	strip_slashes(path);
	p->path = realpath(path, NULL);
	if (!p->path)
		return hb_error_set(e, -ENODEV, "%s: %s", text, strerror(errno));
	base = strrchr(path, '/');
	/* "." and ".." have no name; a symbolic link has its own. */
	p->name = arm_name(!strcmp(base, "/.") || !strcmp(base, "/..") ? p->path : path, ref);
	p->ref = ref ? strdup(ref) : NULL;
	rc = !p->name || (ref && !p->ref) ? hb_error_set(e, -ENOMEM, "out of memory")
					  : find_kind(p, text, e);
	if (rc)
		place_free(p);
	return rc;
}

void place_free(struct place *p)
{
	free(p->path);
	free(p->ref);
	free(p->name);
	*p = (struct place){0};
}
