// SPDX-License-Identifier: Apache-2.0

/// How many elements must be added, left out or changed to make one sequence of the other.
///
/// Takes time by the product of the counts: callers bound them. Which distance is still near enough to be meant is
/// theirs to say.
///
/// - Parameter countsSwaps: Whether two neighbours in the wrong order are one change, not two.
package func editDistance<Element: Equatable>(
    _ left: [Element],
    _ right: [Element],
    countsSwaps: Bool = false
) -> Int {
    var beforePrevious: [Int] = []
    var previous = Array(0...right.count)
    for row in left.indices {
        var current = [row + 1]
        for column in right.indices {
            let replaced = previous[column] + (left[row] == right[column] ? 0 : 1)
            var cost = min(replaced, previous[column + 1] + 1, current[column] + 1)
            if countsSwaps, row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                cost = min(cost, beforePrevious[column - 1] + 1)
            }
            current.append(cost)
        }
        (beforePrevious, previous) = (previous, current)
    }
    return previous[right.count]
}
