// Stands for the modules of Node that parts of a bundle import but do not call.
export default {};
