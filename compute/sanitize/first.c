/*
 * Initialises AddressSanitizer before the constructors of all other libraries, when preloaded after libasan.
 *
 * The sanitizer sets itself up in the first malloc(), and asks for a translated message (dlerror) while it does. A library
 * that PostgreSQL is linked with allocates in its constructor while it holds the C library's lock of translations; the lock
 * is then released once too often, and the next one who wants it (main() of postgres) waits for ever.
 */
#include <stdlib.h>

__attribute__((constructor)) static void
initialise_first(void)
{
	void	   *volatile first = malloc(1);

	free(first);
}
