/** The public surface, and everything that can be reached from it, is written down: what changes it shows in a diff. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import t from 'tap';

const inTree = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

t.test('etc/critmap.api.md is what dist declares', async (t) => {
  const config = ExtractorConfig.loadFileAndPrepare(inTree('etc/api-extractor.json'));
  const said: string[] = [];
  const result = Extractor.invoke(config, {
    localBuild: false,
    messageCallback: (message) => {
      message.handled = true;
      const isNews = message.logLevel === 'warning' || message.logLevel === 'error';
      // That the report is another one is said below.
      if (isNews && message.messageId !== 'console-api-report-not-copied')
        said.push(message.formatMessageWithLocation(inTree('')));
    },
  });
  t.notOk(
    result.apiReportChanged,
    'the public surface is another one: npm run api writes it, look at the diff',
  );
  t.strictSame(said, []);
});

t.test('what is marked @internal is not declared', async (t) => {
  const report = readFileSync(inTree('etc/critmap.api.md'), 'utf8');
  t.match(report, /^export function sweep\(model: Model, images: ImageSet, options\?: SweepOptions\)/m);
  t.match(report, /^ {4}imagesPerDraw: z\./m, 'options are in it, by which an interface is inferred');
  t.notMatch(report, /@internal|OnnxFile|protobuf/);
  t.notMatch(readFileSync(inTree('dist/model/model.d.ts'), 'utf8'), /file: OnnxFile;/);
});
