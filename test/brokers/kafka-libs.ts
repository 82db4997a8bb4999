import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onPath } from './on-path.js';

/** The Apache Kafka that a Java on this machine runs; `COMMLIB_KAFKA_VERSION` replaces it, e.g. by 4.1.1. */
export const kafkaVersion = process.env.COMMLIB_KAFKA_VERSION || '3.9.1';

/** Kept between runs. */
const cache = process.env.COMMLIB_CACHE || join(homedir(), '.cache/commlib-ts');

/** The folder with the broker's jar and everything that it needs. */
export const kafkaLibs = join(cache, `kafka-${kafkaVersion}`, 'libs');

const resolveTimeoutMs = 240_000;

/**
 * Has Maven fetch the broker and its runtime dependencies, once per version, and resolves with their folder.
 *
 * @throws Error in one line when there is no Maven, or when it cannot.
 */
export async function resolveKafka(): Promise<string> {
  if (existsSync(kafkaLibs)) return kafkaLibs;
  const mvn = onPath('mvn');
  if (mvn === undefined) throw new Error(`Kafka ${kafkaVersion} not fetched yet, and no mvn on the PATH`);
  const folder = join(kafkaLibs, '..');
  mkdirSync(folder, { recursive: true });
  // Moved into place when complete, so that an interrupted or a second fetch does no harm.
  const work = mkdtempSync(join(folder, 'fetch-'));
  try {
    writeFileSync(join(work, 'pom.xml'), pom);
    const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
    const into = join(work, 'libs');
    await promisify(execFile)(
      mvn,
      ['-B', '-q', '-f', work, goal, '-DincludeScope=runtime', `-DoutputDirectory=${into}`],
      { timeout: resolveTimeoutMs, env: { ...process.env, MAVEN_OPTS: '-Xmx256m' } },
    );
    if (!existsSync(kafkaLibs)) renameSync(into, kafkaLibs);
    return kafkaLibs;
  } catch (error) {
    if (existsSync(kafkaLibs)) return kafkaLibs;
    const output = (error as { stdout?: string }).stdout ?? '';
    const reason = /\[ERROR\] (.*)/.exec(output)?.[1] ?? String(error);
    throw new Error(`Maven did not fetch Kafka ${kafkaVersion}: ${reason.slice(0, 200)}`, { cause: error });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>commlib</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${kafkaVersion}</version>
    </dependency>
    <!-- Its log goes to stderr, where the launcher reads it. -->
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
`;
