/** The builder of kgr: the second door of the host room, for the workbench; the first is for the patched machine. */
export { buildKgr, hostTool, machineRequirements } from "@kgraft/host/build";
