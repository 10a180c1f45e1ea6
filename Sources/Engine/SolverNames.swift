// SPDX-License-Identifier: Apache-2.0

// The module Solver holds a class of the same name, so its other names cannot be qualified where LLB's are in scope too.
internal import Solver

typealias SolveEdge = Edge
typealias SolveProgressGroup = ProgressGroup
