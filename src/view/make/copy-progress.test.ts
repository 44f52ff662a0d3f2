import { describe, expect, it } from 'vitest';
import { CopyMeter, copyProgress, copySummary } from './copy-progress.ts';

describe('the line of a copy', () => {
  const counts = { files: 3, found: 10, bytes: 250_000_000, total: 1_000_000_000, rate: 50_000_000 };

  it('says how far it is, how fast, and how long it takes still', () => {
    expect(copyProgress(counts, 120)).toBe(
      '3/10 files  █████░░░░░░░░░░░░░░░  25 %  250 MB of 1.0 GB  50.0 MB/s  15.0 s left',
    );
  });

  it('promises nothing before it knows a rate, and fits a narrow terminal', () => {
    expect(copyProgress({ ...counts, rate: null, found: 1 }, 120)).toBe(
      '█████░░░░░░░░░░░░░░░  25 %  250 MB of 1.0 GB',
    );
    expect(copyProgress({ ...counts, rate: 0 }, 120)).not.toContain('left');
    expect(copyProgress(counts, 40)).toHaveLength(39);
  });

  it('does not divide by an empty file, nor run over its end', () => {
    expect(copyProgress({ files: 0, found: 1, bytes: 0, total: 0, rate: null }, 80)).toContain(' 0 %');
    expect(copyProgress({ ...counts, bytes: 2_000_000_000 }, 120)).toContain('100 %');
  });
});

describe('the rate of a copy', () => {
  it('is that of the last seconds: a pause shows', () => {
    const meter = new CopyMeter();
    expect(meter.at(0, 0)).toBeNull();
    expect(meter.at(1000, 1000)).toBe(1000);
    for (let ms = 2000; ms <= 8000; ms += 1000) {
      meter.at(ms, 1000);
    }
    expect(meter.at(9000, 1000)).toBe(0);
  });
});

describe('the sum of a copy', () => {
  it('names only what there was', () => {
    const sum = { files: 1, folders: 0, links: 0, bytes: 1_500_000, resumed: 0, failed: 0, seconds: 0.5 };
    expect(copySummary(sum)).toBe('1 file, 1.5 MB in 500 ms, 3.0 MB/s');
    expect(copySummary({ ...sum, files: 2, folders: 1, links: 3, resumed: 10, failed: 1 })).toBe(
      '2 files, 1 folder, 3 links, 1.5 MB in 500 ms, 3.0 MB/s; 10 B were there already; 1 failed',
    );
  });
});
