/** Map, profiles and table of one choice of metric, baseline, images and names, with the controls for them. */
import { PAPER } from './colours.js';
import { csvOf, jsonOf } from './data-files.js';
import { Dataset } from './dataset.js';
import { button, el, labelled, oncePerFrame, search, select } from './dom.js';
import { downloadButtons, fileName, saveCanvas, saveText } from './downloads.js';
import { drawMap } from './map-drawing.js';
import { layoutOf } from './map-layout.js';
import { MapView, type Selection } from './map-view.js';
import type { PageData } from './page-data.js';
import { ProfileView } from './profile-view.js';
import { CanvasSurface, SvgSurface } from './surface.js';
import { TableView } from './table-view.js';
import { type Choices, type Order, type Shown, shownOf } from './view.js';

/** Cells up to which an SVG file of the map is offered. */
const MOST_MARKS = 40_000;
const PAPER_WIDTH = 1130;

export class Explorer {
  private readonly data: Dataset;
  private readonly choices: Choices;
  private shown: Shown;
  private selection: Selection;
  private readonly map: MapView | null;
  private readonly profiles: ProfileView;
  private readonly table: TableView;
  private readonly meaning = el('p', { class: 'meaning' });
  private readonly controls = el('div', { class: 'controls' });
  private readonly files = el('div', { class: 'downloads' });
  private readonly update = oncePerFrame(() => this.refresh());

  constructor(page: PageData, into: HTMLElement) {
    this.data = new Dataset(page);
    this.choices = {
      ...{ metric: page.metrics[0]!, imageSet: 0, panel: 0, compare: null, order: 'category' },
      ...{ models: '', layers: '' },
    };
    this.shown = shownOf(this.data, this.choices);
    this.selection = { model: this.firstModel(), layer: null };
    const choose = (selection: Selection) => this.select(selection);
    const isOne = page.models.length === 1;
    this.map = isOne ? null : new MapView(choose);
    this.profiles = new ProfileView(choose);
    this.table = new TableView((selection) => this.select(selection));
    this.makeControls();
    into.append(
      el('h2', { id: 'explore' }, 'Explore'),
      this.controls,
      this.meaning,
      // Of one model, its profile is the map, and a table of all that is known follows on the page anyway.
      ...(this.map
        ? [this.map.element, this.files, this.profiles.element, this.table.element]
        : [this.profiles.element, this.files]),
    );
    const isDark = matchMedia('(prefers-color-scheme: dark)');
    isDark.addEventListener('change', () => this.recolour());
    void document.fonts?.ready.then(() => this.refresh());
    this.refresh();
  }

  /** The baseline where it is in the panel, else the first. */
  private firstModel(): number {
    const { models } = this.data.page.panels[this.choices.panel]!;
    return Math.max(0, models.indexOf(this.data.page.baseline ?? -1));
  }

  private makeControls(): void {
    const { page } = this.data;
    const { choices } = this;
    const indexed = (names: readonly string[]) => names.map((name, i) => [String(i), name] as const);
    const metric = select(
      page.metrics.map(({ id, label }) => [id, label] as const),
      choices.metric.id,
      (id) => {
        choices.metric = page.metrics.find((one) => one.id === id)!;
        this.update();
      },
    );
    const { models } = page.panels[choices.panel]!;
    const tested = (index: number) => (index === page.baseline ? ' (tested)' : '');
    const compare = select(
      [
        ['', 'nothing: show values'],
        ...models.map((index) => [String(index), `${page.models[index]!.name}${tested(index)}`] as const),
      ],
      choices.compare === null ? '' : String(choices.compare),
      (value) => {
        choices.compare = value === '' ? null : Number(value);
        this.update();
      },
    );
    const panels = select(indexed(page.panels.map(({ name }) => name)), String(choices.panel), (value) => {
      choices.panel = Number(value);
      choices.compare = null;
      this.selection = { model: this.firstModel(), layer: null };
      this.makeControls();
      // Made anew, it had the keyboard.
      this.controls.querySelectorAll('select')[2]?.focus();
      this.update();
    });
    const images = select(
      indexed(page.imageSets.map(({ name }) => name)),
      String(choices.imageSet),
      (value) => {
        choices.imageSet = Number(value);
        this.update();
      },
    );
    const orders = [
      ['category', 'category'],
      ['name', 'name'],
      ['mean', 'mean'],
      ['accuracy', 'accuracy'],
    ] as const;
    const order = select(orders, choices.order, (value) => {
      choices.order = value as Order;
      this.update();
    });
    const filter = (name: 'models' | 'layers') => {
      const field = search((text) => {
        choices[name] = text;
        this.update();
      });
      field.value = choices[name];
      return field;
    };
    const isSeveral = page.models.length > 1;
    this.controls.replaceChildren(
      labelled('Metric', metric),
      ...(isSeveral ? [labelled('Compare with', compare)] : []),
      ...(page.panels.length > 1 ? [labelled('Architecture', panels)] : []),
      ...(page.imageSets.length > 1 ? [labelled('Images', images)] : []),
      ...(isSeveral ? [labelled('Order models by', order), labelled('Filter models', filter('models'))] : []),
      labelled('Filter layers', filter('layers')),
    );
  }

  private refresh(): void {
    this.shown = shownOf(this.data, this.choices);
    const { metric, compare, imageSet } = this.choices;
    const untested = compare !== null && !this.data.isTested(metric, compare, imageSet);
    this.meaning.textContent = [
      metric.meaning,
      compare === null
        ? ''
        : untested
          ? 'Shown are plain differences of means, which are not tested.'
          : 'Triangles point up where it is more, down where less: filled where the difference survives Holm’s correction over all cells, open where it survives Benjamini and Hochberg’s (both at 0.05).',
    ].join(' ');
    this.map?.show(this.shown);
    this.profiles.show(this.shown, this.selection);
    this.table.show(this.shown);
    this.makeFiles();
  }

  private recolour(): void {
    this.map?.redraw();
    this.profiles.redraw();
  }

  private select(selection: Selection): void {
    this.selection = selection;
    this.profiles.show(this.shown, this.selection);
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.profiles.element.scrollIntoView({ block: 'nearest', behavior: isCalm ? 'auto' : 'smooth' });
  }

  private makeFiles(): void {
    const { page } = this.data;
    const name = fileName(page.title);
    const parts: Node[] = [];
    if (this.map) {
      const isLarge = this.shown.rows.length * this.shown.columns.length > MOST_MARKS;
      parts.push(
        isLarge
          ? button('PNG', () => this.savePicture(), { 'aria-label': 'Download the map as PNG' })
          : downloadButtons(`map ${page.title}`, () => this.picture()),
      );
    }
    parts.push(
      button('CSV', () => saveText(`${name}.csv`, csvOf(this.data), 'text/csv'), {
        'aria-label': 'Download the data as CSV',
      }),
      button('JSON', () => saveText(`${name}.json`, jsonOf(this.data), 'application/json'), {
        'aria-label': 'Download the data as JSON',
      }),
    );
    this.files.replaceChildren('Download: ', ...parts);
  }

  private picture(): SVGSVGElement {
    const layout = layoutOf(this.shown, PAPER_WIDTH);
    const surface = new SvgSurface(layout.width, layout.height);
    drawMap(surface, this.shown, layout, PAPER, {
      left: 0,
      top: 0,
      width: layout.width,
      height: layout.height,
    });
    return surface.root;
  }

  /** As large as browsers allow. */
  private savePicture(): void {
    const layout = layoutOf(this.shown, PAPER_WIDTH);
    const scale = Math.min(2, 16_000 / Math.max(layout.width, layout.height));
    const canvas = el('canvas');
    canvas.width = Math.round(layout.width * scale);
    canvas.height = Math.round(layout.height * scale);
    const context = canvas.getContext('2d')!;
    context.scale(scale, scale);
    drawMap(new CanvasSurface(context), this.shown, layout, PAPER, {
      left: 0,
      top: 0,
      width: layout.width,
      height: layout.height,
    });
    saveCanvas(`map ${this.data.page.title}`, canvas);
  }
}
