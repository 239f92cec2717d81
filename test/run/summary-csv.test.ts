import t from 'tap';
import { summaryCsv } from '../../src/run/summary-csv.js';
import { exampleSummary, resnet18Layers } from '../report/example.js';

const HEADER =
  'model,layer,op,shape,parameters,depth,reset,images,draws,passes,stopped_at,invalid,change,' +
  'criticality,criticality_low,criticality_high,criticality_interval,' +
  'criticality_sd_draws,criticality_sd_images,criticality_sd_trial,' +
  'agreement,agreement_low,agreement_high,agreement_interval,' +
  'agreement_sd_draws,agreement_sd_images,agreement_sd_trial,' +
  'cosine,l1,l2,kl,js,top1,top5,loss,recovered';
const fieldsOf = (line: string) => {
  const fields = line.split(',');
  return Object.fromEntries(HEADER.split(',').map((name, i) => [name, fields[i]]));
};

t.test('summary.csv', async (t) => {
  t.test('has the same columns with and without labels, and a row per layer', async (t) => {
    for (const labels of [true, false]) {
      const lines = summaryCsv(exampleSummary(resnet18Layers, { labels })).split('\n');
      t.equal(lines[0], HEADER);
      t.equal(lines.length, 1 + 21 + 1);
      t.equal(lines.at(-1), '');
      for (const line of lines.slice(0, -1)) t.equal(line.split(',').length, HEADER.split(',').length);
    }
  });

  t.test('keeps numbers exactly', async (t) => {
    const summary = exampleSummary(resnet18Layers);
    summary.layers[1]!.stoppedAt = 800;
    const fields = fieldsOf(summaryCsv(summary).split('\n')[2]!);
    const { criticality, agreement, recovered } = summary.layers[1]!;
    t.equal(fields.shape, '64x64x3x3');
    t.equal(fields.criticality_interval, 'crossed');
    t.equal(fields.draws, '3');
    t.equal(fields.passes, '3000');
    t.equal(fields.stopped_at, '800');
    for (const [name, value] of Object.entries({
      criticality: criticality.mean,
      criticality_low: criticality.low,
      criticality_high: criticality.high,
      criticality_sd_draws: criticality.sdDraws,
      criticality_sd_images: criticality.sdImages,
      criticality_sd_trial: criticality.sdTrial,
      agreement: agreement.mean,
      recovered,
    })) {
      t.equal(Number(fields[name]), value, name);
    }
  });

  t.test('leaves a field empty for null', async (t) => {
    const line = summaryCsv(exampleSummary(resnet18Layers, { labels: false, draws: 1 })).split('\n')[1]!;
    t.match(line, /,,,,$/);
    const { criticality_low, criticality_interval, stopped_at } = fieldsOf(line);
    t.strictSame([criticality_low, criticality_interval, stopped_at], ['', '', '']);
  });

  t.test('quotes commas, quotes and line breaks as RFC 4180 says', async (t) => {
    const summary = exampleSummary([{ layer: 'a,"b"\nc', op: 'Conv', shape: [1] }], { name: 'm' });
    t.match(summaryCsv(summary), '\nm,"a,""b""\nc",Conv,1,1,0,random,1000,3,3000,,0,');
  });

  t.test('has only a header for a summary without layers', async (t) => {
    t.equal(summaryCsv(exampleSummary([])), `${HEADER}\n`);
  });
});
