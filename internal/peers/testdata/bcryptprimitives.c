/* ProcessPrng, which Go's runtime needs and Wine 8 does not have. */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(unsigned char *buffer, size_t length)
{
	return RtlGenRandom(buffer, (ULONG)length);
}
