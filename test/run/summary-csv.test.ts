import t from 'tap';
import { summaryCsv } from '../../src/run/summary-csv.js';
import { exampleSummary, resnet18Layers } from '../report/example.js';

const HEADER =
  'model,layer,op,shape,parameters,depth,reset,trials,images,invalid,change,' +
  'criticality,criticality_sd_trials,criticality_low,criticality_high,' +
  'agreement,agreement_sd_trials,agreement_low,agreement_high,' +
  'cosine,l1,l2,kl,js,top1,top5,loss,recovered';

t.test('summary.csv', async (t) => {
  t.test('has the same columns with and without labels, and a row per layer', async (t) => {
    for (const labels of [true, false]) {
      const lines = summaryCsv(exampleSummary(resnet18Layers, { labels })).split('\n');
      t.equal(lines[0], HEADER);
      t.equal(lines.length, 1 + 21 + 1);
      t.equal(lines.at(-1), '');
      for (const line of lines.slice(0, -1)) t.equal(line.split(',').length, 28);
    }
  });

  t.test('keeps numbers exactly', async (t) => {
    const summary = exampleSummary(resnet18Layers);
    const fields = summaryCsv(summary).split('\n')[2]!.split(',');
    t.equal(fields[3], '64x64x3x3');
    t.equal(Number(fields[11]), summary.layers[1]!.criticality.mean);
    t.equal(Number(fields[27]), summary.layers[1]!.recovered);
  });

  t.test('leaves a field empty for null', async (t) => {
    const line = summaryCsv(exampleSummary(resnet18Layers, { labels: false, trials: 1 })).split('\n')[1]!;
    t.match(line, /,,,,$/);
    t.equal(line.split(',')[12], '');
  });

  t.test('quotes commas, quotes and line breaks as RFC 4180 says', async (t) => {
    const summary = exampleSummary([{ layer: 'a,"b"\nc', op: 'Conv', shape: [1] }], { name: 'm' });
    t.match(summaryCsv(summary), '\nm,"a,""b""\nc",Conv,1,1,0,random,3,');
  });

  t.test('has only a header for a summary without layers', async (t) => {
    t.equal(summaryCsv(exampleSummary([])), `${HEADER}\n`);
  });
});
