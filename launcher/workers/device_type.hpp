// The kinds of devices, and the variable that hides some of them from a process.
#pragma once

namespace ddp {

enum class DeviceType { cpu, cuda, ascend, hip, ze };
// Its name on the command line.
const char* name_of(DeviceType type);
// The variable that says which devices of this kind a process may see; nullptr for cpu.
const char* visible_devices_variable(DeviceType type);

}  // namespace ddp
