#include "pgmend/pgmend.h"

const char *pgmend_version(void)
{
	return PGM_VERSION;
}

int pgmend_version_number(void)
{
	return PGMEND_VERSION_NUMBER;
}
