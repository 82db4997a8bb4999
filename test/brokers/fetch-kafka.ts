/** Run by `.ci/run`: has Maven fetch Kafka if it is not there yet, and prints the folder of its libraries. */
import { resolveKafka } from './kafka-libs.js';

console.log(await resolveKafka());
