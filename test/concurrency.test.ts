import t from 'tap';
import { Budget } from '../src/concurrency.js';

t.test('no more than there is is taken at once, and a larger one goes alone', async (t) => {
  const budget = new Budget(10);
  const amounts = [3, 4, 25, 5, 5, 1, 10, 2, 11, 0, 6];
  const running = new Set<number>();
  const order: number[] = [];
  const sums: number[] = [];
  const work = (amount: number, at: number) =>
    budget.run(amount, async () => {
      running.add(at);
      order.push(at);
      const taken = [...running].reduce((sum, one) => sum + amounts[one]!, 0);
      sums.push(taken);
      const others = [...running].filter((one) => one !== at && amounts[one]! > 0);
      t.ok(taken <= 10 || others.length === 0, `${taken} of 10`);
      await new Promise((resolve) => setImmediate(resolve));
      running.delete(at);
      return amount;
    });
  t.same(await Promise.all(amounts.map(work)), amounts);
  t.same(order, [...amounts.keys()], 'in the order of asking');
  t.ok(sums.includes(10) && sums.includes(25), 'it is made use of');
});

t.test('who fails gives back what it had', async (t) => {
  const budget = new Budget(1);
  const failing = budget.run(1, () => {
    throw new Error('no');
  });
  await t.rejects(failing, { message: 'no' });
  t.equal(await budget.run(1, () => 'yes'), 'yes');
});
