/* The units of examples/deployment/systemd: checked by systemd's own tools, and the socket is passed by one of them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Program, root } from '../support/process.js';
import { describeWith, run } from '../support/programs.js';
import { until } from '../support/server.js';

const UNITS = join(root, 'examples/deployment/systemd');
/** The exposure level of `systemd-analyze security`, from 0 to 10, times 10. */
const MOST_EXPOSURE = 20;

describeWith('systemd-analyze', (command) => {
  const folder = mkdtempSync(join(tmpdir(), 'loopshard-'));
  const unit = (name: string) => join(folder, name);

  /** Writes the units with a program that exists. */
  function write(change: (text: string) => string = (text) => text): void {
    for (const name of ['app.service', 'app.socket']) {
      const text = change(readFileSync(join(UNITS, name), 'utf8'));
      writeFileSync(unit(name), text.replaceAll('/srv/app/', `${folder}/app/`));
    }
  }

  beforeAll(() => {
    const bin = join(folder, 'app/node_modules/.bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'loopshard'), '#!/bin/sh\n', { mode: 0o755 });
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  test('the units have no errors or unknown settings', async () => {
    write();
    const { stderr } = await run(command, ['verify', unit('app.service'), unit('app.socket')]);
    expect(stderr).not.toContain(folder);
  });

  test('the check would find an unknown setting', async () => {
    write((text) => text.replace('LimitNOFILE=', 'LimitFILES='));
    const program = new Program(command, ['verify', unit('app.service')]);
    await program.exit();
    expect(program.stderr).toContain('LimitFILES');
  });

  test('the service is little exposed', async () => {
    write();
    const threshold = `--threshold=${MOST_EXPOSURE}`;
    await run(command, ['security', '--offline=true', '--no-pager', threshold, unit('app.service')]);
  });

  test('the check would find that it is exposed', async () => {
    write((text) => text.replace(/^Protect.*$/gm, ''));
    const threshold = `--threshold=${MOST_EXPOSURE}`;
    await expect(
      run(command, ['security', '--offline=true', '--no-pager', threshold, unit('app.service')]),
    ).rejects.toThrow();
  });
});

describeWith('systemd-socket-activate', (command) => {
  test('the server takes the socket that systemd passes, and SIGHUP reloads it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'loopshard-'));
    const path = join(folder, 'app.sock');
    const [, start] = /^ExecStart=\S+loopshard (.*)$/m.exec(readFileSync(join(UNITS, 'app.service'), 'utf8'))!;
    const args = start.replace('dist/app.js', 'test/fixtures/app.js').replace('9000', '0').split(' ');
    const program = new Program(command, ['--listen', path, process.execPath, 'build/dist/cli.js', ...args]);
    // The first connection starts the server.
    const ask = () =>
      new Promise<string>((resolve, reject) => {
        let text = '';
        const socket = connect(path, () =>
          socket.write('GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
        );
        socket.on('data', (chunk) => {
          text += chunk;
        });
        socket.on('end', () => resolve(text)).on('error', reject);
      });
    const responds = async () => (await ask().catch(() => '')).startsWith('HTTP/1.1 200');
    await until(responds, 'the server that the connection starts');
    await program.printed(/listens on/);
    program.child.kill('SIGHUP');
    await until(() => /reloaded/.test(program.stdout + program.stderr), 'the reload');
    expect(await ask()).toMatch(/^HTTP\/1\.1 200/);
    program.child.kill('SIGTERM');
    expect(await program.exit()).toBe(0);
    rmSync(folder, { recursive: true });
  });
});
