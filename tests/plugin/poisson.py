"""Poisson on 60 x 47 cells by petsc4py, which knows nothing of Krylearn: solved, then again with stiffer values in one half.

With -dmda the matrix belongs to a DMDA; otherwise its rows are numbered naturally, x fastest.
"""
import sys

import petsc4py

petsc4py.init(sys.argv)
from petsc4py import PETSc  # noqa: E402

NX, NY = 60, 47


def fill(A, number, rows, left):
    """Zero values around the box; `left` is the coefficient in the left half."""
    for i, j in rows:
        diagonal = 0.0
        for di, dj in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            ni, nj = i + di, j + dj
            alpha = left if min(i, ni) < NX // 2 else 1.0
            diagonal += alpha
            if 0 <= ni < NX and 0 <= nj < NY:
                A.setValue(number(i, j), number(ni, nj), -alpha)
        A.setValue(number(i, j), number(i, j), diagonal)
    A.assemble()


def main():
    options = PETSc.Options()
    ksp = PETSc.KSP().create()
    if options.hasName("dmda"):
        da = PETSc.DMDA().create([NX, NY], stencil_type=PETSc.DMDA.StencilType.STAR, stencil_width=1)
        A = da.createMatrix()
        ordering = da.getAO()
        natural = ordering.app2petsc(list(range(NX * NY)))

        def number(i, j):
            return int(natural[i + NX * j])

        (x0, x1), (y0, y1) = da.getRanges()
        rows = [(i, j) for j in range(y0, y1) for i in range(x0, x1)]
    else:
        A = PETSc.Mat().createAIJ([NX * NY, NX * NY], nnz=5)

        def number(i, j):
            return i + NX * j

        first, last = A.getOwnershipRange()
        rows = [(row % NX, row // NX) for row in range(first, last)]
    x, b = A.createVecs()
    b.set(1.0)
    ksp.setOperators(A)
    ksp.setType("cg")
    ksp.setNormType(PETSc.KSP.NormType.UNPRECONDITIONED)
    ksp.setTolerances(rtol=1e-8)
    ksp.setFromOptions()
    for name, left in (("iterations", 1.0), ("again", 1000.0)):
        fill(A, number, rows, left)
        ksp.setOperators(A)
        ksp.solve(b, x)
        residual = b.duplicate()
        A.mult(x, residual)
        residual.axpy(-1.0, b)
        PETSc.Sys.Print(f"{name}: {ksp.getIterationNumber()} reason: {int(ksp.getConvergedReason())} "
                        f"residual: {residual.norm() / b.norm():.3e}")


main()
