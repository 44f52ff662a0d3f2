// Asks once, and gives up after a while. It knows nothing of the lab either.
const [url, timeoutMs = '20000'] = process.argv.slice(2);
try {
  const answer = await fetch(url, { signal: AbortSignal.timeout(Number(timeoutMs)) });
  console.log(answer.status, (await answer.text()).trim());
} catch (error) {
  console.log('failed:', error.cause?.code ?? error.name);
}
