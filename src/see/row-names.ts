/** The names that the kernel's numbers have for us. */
import { cgroupPath, deviceName } from '../kernel/names.ts';
import type { Names } from './row.ts';

export const NAMES: Names = { device: deviceName, cgroup: cgroupPath };
/** An interface number of another namespace has no name here. */
export const FOREIGN_NAMES: Names = { device: (index) => `if${index}`, cgroup: cgroupPath };
