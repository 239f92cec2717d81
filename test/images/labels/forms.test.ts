/** Tables of labels as they are found in the wild: what is understood of each, and what is refused. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { imagenetOutput } from '../../../src/images/imagenet.js';
import { readLabelFile } from '../../../src/images/labels/read-label-file.js';

const FLAT = ['1.jpg', '2.jpg', '3.jpg'];
const CLASSES = ['cat/1.jpg', 'cat/2.jpg', 'dog/3.jpg'];
const VALIDATION = [1, 2, 3].map((n) => `ILSVRC2012_val_0000000${n}.JPEG`);
const TINY = ['images/val_0.JPEG', 'images/val_1.JPEG', 'images/val_2.JPEG'];

interface Form {
  names: readonly string[] | null;
  text: string;
  labels: (number | undefined)[];
  understood?: RegExp;
  classNames?: readonly string[];
  name?: string;
  outputs?: number;
  columns?: string[];
  source?: string;
}

const read = async (
  t: Test,
  { names, text, name = 'labels.csv', outputs, columns, source = 'data/val' }: Form,
) => {
  const file = join(t.testdir(), name);
  await writeFile(file, text);
  const total = names?.length ?? 3;
  const indices = Uint32Array.from({ length: total }, (_, at) => at);
  return readLabelFile(file, { name: source, total, names }, indices, { outputs, columns });
};

const synsets = ['n01440764', 'n15075141', 'n01443537'].map(imagenetOutput);

const forms: Record<string, Form> = {
  "Kaggle's ImageNet, with boxes and without endings": {
    names: VALIDATION,
    text: 'ImageId,PredictionString\nILSVRC2012_val_00000003,n01443537 1 2 3 4 \nILSVRC2012_val_00000001,n01440764 85 1 499 272\nILSVRC2012_val_00000002,n15075141 1 2 3 4 n15075141 -5 6 7 8 \n',
    labels: synsets,
    understood:
      /labels\.csv: columns parted by commas, a head line, images in column "ImageId" without their endings, classes in column "PredictionString" \(ImageNet's synsets\)$/,
  },
  "Tiny ImageNet's annotations, for its 200 classes": {
    names: TINY,
    name: 'val_annotations.txt',
    text: 'val_0.JPEG\tn02106662\t0\t32\t44\t62\nval_1.JPEG\tn01443537\t52\t55\t57\t59\nval_2.JPEG\tn02106662\t4\t0\t60\t55\n',
    outputs: 2,
    labels: [1, 0, 1],
    classNames: ['n01443537', 'n02106662'],
    understood: /parted by tabs, images in column 1, classes in column 2 \(2 synsets in sorted order\)$/,
  },
  "Tiny ImageNet's annotations, for a model of ImageNet": {
    names: TINY,
    text: 'val_0.JPEG\tn02106662\t0\t32\t44\t62\nval_1.JPEG\tn01443537\t52\t55\t57\t59\nval_2.JPEG\tn02106662\t4\t0\t60\t55\n',
    outputs: 1000,
    labels: [235, 1, 235],
  },
  'class names, in the order of ImageFolder': {
    names: FLAT,
    text: 'filename,label\n1.jpg,dog\n2.jpg,Cat\n3.jpg,ant\n',
    labels: [2, 0, 1],
    classNames: ['Cat', 'ant', 'dog'],
    understood: /classes in column "label" \(3 names in sorted order\)$/,
  },
  'class names of images that are not there count too': {
    names: FLAT,
    text: 'id,breed\n1,dog\n2,cat\n3,dog\n4,ant\n5,\n',
    labels: [2, 1, 2],
    classNames: ['ant', 'cat', 'dog'],
    understood: /without their endings.*; 2 rows are of other images$/,
  },
  'synsets under a head line': {
    names: FLAT,
    text: 'filename,label\n1.jpg,n01440764\n2.jpg,n15075141\n3.jpg,n01443537\n',
    labels: synsets,
  },
  'backslashes and line ends of Windows': {
    names: CLASSES,
    text: '\ufeffpath,class\r\n.\\cat\\1.jpg,0\r\ncat\\2.jpg,0\r\ndog\\3.jpg,1\r\n',
    labels: [0, 0, 1],
  },
  'quoted fields, with commas, quotes and line ends in them': {
    names: ['a, b.jpg', 'c "d".jpg', 'e.jpg'],
    text: '"image","caption","label"\n"a, b.jpg","one\ntwo","3"\n"c ""d"".jpg","","4"\n"e.jpg","x","5"\n',
    labels: [3, 4, 5],
  },
  'absolute paths': {
    names: CLASSES,
    text: '/mnt/data/val/cat/1.jpg 4\n/mnt/data/val/cat/2.jpg 4\n/mnt/data/val/dog/3.jpg 5\n',
    name: 'val.txt',
    labels: [4, 4, 5],
    understood: /parted by blanks, images in column 1, classes in column 2 \(indices\)$/,
  },
  'absolute paths of Windows': {
    names: CLASSES,
    text: 'C:\\data\\val\\cat\\1.jpg;4\nC:\\data\\val\\cat\\2.jpg;4\nC:\\data\\val\\dog\\3.jpg;5\n',
    labels: [4, 4, 5],
    understood: /parted by semicolons/,
  },
  'names without the folders that images are in': {
    names: CLASSES,
    text: 'image_id,target\n1,7\n3,8\n2,7\n',
    labels: [7, 7, 8],
  },
  'a row number first, as pandas writes it': {
    names: ['0.png', '1.png', '2.png'],
    text: ',file_name,label\n0,2.png,1\n1,1.png,0\n2,0.png,1\n',
    labels: [1, 0, 1],
    understood: /images in column "file_name", classes in column "label"/,
  },
  'a third column, and whole numbers with a point': {
    names: FLAT,
    text: 'file,label,split\n1.jpg,3.0,val\n2.jpg,1.0,val\n3.jpg,3.0,val\n',
    labels: [3, 1, 3],
  },
  'the class index before its name': {
    names: FLAT,
    text: 'label,image,label_idx\ndog,1.jpg,9\ncat,2.jpg,8\ndog,3.jpg,9\n',
    labels: [9, 8, 9],
    understood: /classes in column "label_idx" \(indices\)/,
  },
  'rows that lack their last cells': {
    names: FLAT,
    text: 'image,label,note\n1.jpg,5,a b\n2.jpg,6\n3.jpg,5,\n',
    labels: [5, 6, 5],
  },
  'three columns without a head line': {
    names: FLAT,
    text: '1.jpg,5,val\n2.jpg,6,val\n3.jpg,5,val\n',
    labels: [5, 6, 5],
  },
  'several folders, of which this is one': {
    names: FLAT,
    text: 'path,label\ntrain/1.jpg,1\nval/1.jpg,2\nval/2.jpg,3\nval/3.jpg,4\ntrain/2.jpg,9\n',
    labels: [2, 3, 4],
    understood: /; 2 rows are of other images$/,
  },
  'columns that the user names': {
    names: FLAT,
    text: 'a,b,c,d\n1.jpg,2.jpg,0,1\n2.jpg,3.jpg,0,2\n3.jpg,1.jpg,1,1\n',
    columns: ['b', 'd'],
    labels: [1, 1, 2],
  },
  'a column that the user counts': {
    names: FLAT,
    text: 'a,b,c,d\n1.jpg,2.jpg,0,1\n2.jpg,3.jpg,0,2\n3.jpg,1.jpg,1,1\n',
    columns: ['4'],
    labels: [1, 2, 1],
  },
  'a column of a table for an array': {
    names: null,
    text: 'day,label\nMonday,4\nTuesday,5\nFriday,4\n',
    columns: ['label'],
    labels: [4, 5, 4],
    understood: /: a class per line in column "label", in the images' order \(indices\)$/,
  },
  'a column for each class, as ISIC has it, in the order of the columns': {
    names: FLAT,
    text: 'image,NV,MEL,BCC\n1,0.0,1.0,0.0\n3,0.0,0.0,1.0\n2,1.0,0.0,0.0\n',
    labels: [1, 0, 2],
    classNames: ['NV', 'MEL', 'BCC'],
    understood:
      /images in column "image" without their endings, a column for each of 3 classes, in their order$/,
  },
  'a column for each class without a head line, beside another': {
    names: FLAT,
    text: '1.jpg,val,0,1\n2.jpg,train,1,0\n3.jpg,test,0,1\n',
    labels: [1, 0, 1],
    understood: /images in column 1, a column for each of 2 classes/,
  },
  'comments before the head line': {
    names: FLAT,
    text: '# made by x\n#on Monday\n\nfile,class\n1.jpg,cat\n2.jpg,ant\n3.jpg,cat\n',
    labels: [1, 0, 1],
    classNames: ['ant', 'cat'],
    understood: /parted by commas, a head line, images in column "file", classes in column "class" \(2 names/,
  },
  'a head line and images whose names begin as comments do': {
    names: ['#1.jpg', '#2.jpg'],
    text: '#2.jpg 4\n#1.jpg 3\n',
    name: 'l.txt',
    labels: [3, 4],
    understood: /parted by blanks/,
  },
  'a JSON object': {
    names: FLAT,
    name: 'labels.json',
    text: '{"2.jpg": 7, "1.jpg": "3",\n "3.jpg": 0}',
    labels: [3, 7, 0],
    understood: /labels\.json: a JSON object, images in column 1, classes in column 2 \(indices\)$/,
  },
  'indices that count the rows, in a column of classes': {
    names: FLAT,
    text: 'label,image\n1,1.jpg\n2,2.jpg\n3,3.jpg\n',
    labels: [1, 2, 3],
  },
  'indices that count the rows, where the user says so': {
    names: FLAT,
    text: '1 1.jpg\n2 2.jpg\n3 3.jpg\n',
    columns: ['1'],
    labels: [1, 2, 3],
  },
  'an image of each class in turn': {
    names: FLAT,
    text: '1.jpg 0\n2.jpg 1\n3.jpg 2\n',
    labels: [0, 1, 2],
  },
  'a class name in each line, of two words': {
    names: null,
    text: 'great dane\nzebra\ngreat dane\n',
    name: 'l.txt',
    labels: [0, 1, 0],
    classNames: ['great dane', 'zebra'],
    understood: /: a class per line, in the images' order \(2 names in sorted order\)$/,
  },
};

for (const [title, form] of Object.entries(forms)) {
  t.test(`${title}: understood`, async (t) => {
    const { labels, classNames, understood } = await read(t, form);
    t.same([...labels], form.labels);
    if (form.classNames) t.same(classNames, form.classNames);
    t.match(understood, form.understood ?? /parted by/);
  });
}

const refused: Record<string, [Pick<Form, 'names' | 'text'> & Partial<Form>, RegExp]> = {
  'a name that several images have': [
    { names: ['cat/1.jpg', 'dog/1.jpg'], text: 'image,label\n1.jpg,0\n' },
    /line 2: several images are called 1\.jpg; write their paths in the folder/,
  ],
  'rows of two folders, neither of which is this': [
    { names: FLAT, text: 'a/1.jpg,0\nb/1.jpg,1\na/2.jpg,0\na/3.jpg,1\n', source: 'photos' },
    /rows for the same image in several folders \(a\/, b\/\); keep those of one folder, or give as --data/,
  ],
  'columns of which any could be the class': [
    { names: FLAT, text: 'image,age,sex\n1.jpg,7,1\n2.jpg,7,2\n3.jpg,8,1\n' },
    /which column has the classes is not clear \("age", "sex"\); name it, such as --label-columns age/,
  ],
  'two classes of one image': [
    { names: FLAT, text: 'image,MEL,NV,BCC\n1.jpg,1,0,0\n2.jpg,0,1,1\n3.jpg,1,0,0\n' },
    /line 3: has no single 1 in the columns of 0 and 1 \("MEL", "NV", "BCC"\), .*; give each image one class$/,
  ],
  'one of the columns for each class': [
    { names: FLAT, text: 'image,MEL,NV,BCC\n1,1,0,0\n2,0,1,0\n3,0,0,1\n', columns: ['MEL'] },
    /column "MEL" has 1 for images of one class and 0 for all others, as "NV", "BCC" .*; leave --label-columns out/,
  ],
  "the images' own numbers, as CUB has them": [
    { names: FLAT, text: '1 1.jpg\n2 2.jpg\n3 3.jpg\n' },
    /column 1 numbers the rows \(1, 2, 3, \.\.\.\), and no other has classes; .* by --label-columns 1 that/,
  ],
  'numbers of rows from 0': [
    { names: FLAT, text: ',file\n0,1.jpg\n1,2.jpg\n2,3.jpg\n' },
    /column 1 numbers the rows \(0, 1, 2/,
  ],
  'JSON of another form': [
    { names: FLAT, name: 'labels.json', text: '{"cat": ["1.jpg", "2.jpg"], "dog": ["3.jpg"]}' },
    /labels\.json: is not a JSON object of images and their classes, .*; write one, or a table/,
  ],
  'a column that is not there': [
    { names: FLAT, text: 'image,label\n1.jpg,0\n2.jpg,0\n3.jpg,0\n', columns: ['klass'] },
    /has no column klass; columns are image, label/,
  ],
  'a class that is missing': [
    { names: FLAT, text: 'image,label\n1.jpg,0\n2.jpg,\n3.jpg,0\n' },
    /line 3: has no class; write one, or take the image out/,
  ],
  'names among indices': [
    { names: FLAT, text: 'image,label\n1.jpg,0\n2.jpg,cat\n3.jpg,0\n' },
    /line 3: "cat" is not a class index, as others are/,
  ],
  'an index below 0': [
    { names: FLAT, text: 'image,label\n1.jpg,0\n2.jpg,-1\n3.jpg,0\n' },
    /line 3: "-1" is not a class index from 0/,
  ],
  'an unknown synset': [
    { names: FLAT, text: '1.jpg,n00000009\n2.jpg,n01440764\n3.jpg,n01440764\n', outputs: 1000 },
    /line 1: "n00000009" is not one of ImageNet's 1,000 synsets/,
  ],
  'a class of its own in each row': [
    {
      names: Array.from({ length: 30 }, (_, at) => `${at}.jpg`),
      text: Array.from({ length: 30 }, (_, at) => `${at}.jpg,word${at}\n`).join(''),
    },
    /every row has a class of its own \(word0, word1, \.\.\.\); choose another column by --label-columns/,
  ],
  'a quote without an end': [
    { names: FLAT, text: 'image,label\n1.jpg,0\n"2.jpg,0\n3.jpg,0\n' },
    /line 3: has a quote that is wrong \(Quoted field unterminated\)/,
  ],
  'a table for an array': [
    { names: null, text: 'day,label\nMonday,4\nTuesday,5\nFriday,4\n' },
    /its first row is "day, label", and images in an array have no paths; .* or name their column by --label-columns/,
  ],
};

for (const [title, [form, message]] of Object.entries(refused)) {
  t.test(`${title}: refused`, async (t) => {
    await t.rejects(read(t, { labels: [], ...form }), { code: 'ERR_IMAGES', message });
  });
}
