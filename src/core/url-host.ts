/** An address as it stands in a URL: an IPv6 address in brackets (RFC 3986, 3.2.2). */
export function urlHost(hostaddr: string): string {
  return hostaddr.includes(':') ? `[${hostaddr}]` : hostaddr;
}
