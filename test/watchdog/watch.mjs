/** The thread of `watchdog.mjs`. */
import { writeSync } from 'node:fs';
import { Session } from 'node:inspector';
import { workerData } from 'node:worker_threads';

const { beats, limitMs } = workerData;

let seen = Atomics.load(beats, 0);
const timer = setInterval(() => {
  const now = Atomics.load(beats, 0);
  if (now === seen) {
    clearInterval(timer);
    tell();
  }
  seen = now;
}, limitMs);

/** Where it is at one moment may be in the middle of nowhere: a few moments are looked at. */
function tell() {
  const places = new Set();
  const urls = new Map();
  const end = () => {
    const text = places.size > 0 ? [...places].join('\n  and\n') : '    (it cannot be asked)';
    writeSync(
      2,
      `\nthis process has been blocked for ${limitMs / 1000} s, and is killed. It is here:\n${text}\n`,
    );
    process.kill(process.pid, 'SIGKILL');
  };
  setTimeout(end, 5_000);
  const session = new Session();
  session.connectToMainThread();
  session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
  let looks = 0;
  session.on('Debugger.paused', ({ params }) => {
    const lines = params.callFrames.slice(0, 12).map(({ functionName, location }) => {
      const { scriptId, lineNumber, columnNumber = 0 } = location;
      return `    at ${functionName || '(anonymous)'} (${urls.get(scriptId)}:${lineNumber + 1}:${columnNumber + 1})`;
    });
    places.add(lines.join('\n'));
    if (++looks === 20) return end();
    session.post('Debugger.resume', () => setTimeout(() => session.post('Debugger.pause'), 7));
  });
  session.post('Debugger.enable', () => session.post('Debugger.pause'));
}
