/* bcryptprimitives.dll for versions of Wine that lack it: Go takes random numbers from its
 * ProcessPrng, and does not start without. */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) {
  return RtlGenRandom(data, (ULONG)size);
}
